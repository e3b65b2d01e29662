//! A proxy that counts what goes to a server, and cuts connections.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Forwards connections to a port of this machine.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    sent: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A proxy before `port`.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let here = listener.local_addr().expect("an address").port();
        let (sent, open) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counter, held) = (sent.clone(), open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for stream in [&client, &server] {
                    held.lock().unwrap().push(stream.try_clone().expect("a stream"));
                }
                let (client2, server2) = (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
                let counter = counter.clone();
                std::thread::spawn(move || forward(client, server, &counter));
                std::thread::spawn(move || forward(server2, client2, &AtomicU64::new(0)));
            }
        });
        Proxy { port: here, sent, open }
    }

    /// Bytes that went to the server so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Cuts all connections that are open.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = [0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..n]).is_err() {
            // Who sends must hear that nobody takes it any more.
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
