//! A proxy that counts what goes to a server, cuts connections, swallows what it is sent, or lets little through.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of what is sent through a proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Way {
    /// It goes on.
    Open,
    /// It is taken, and goes nowhere.
    Swallows,
    /// Nobody takes it.
    Stands,
    /// It goes on, some 200 kB a second over each connection.
    Trickles,
}

const WAYS: [Way; 4] = [Way::Open, Way::Swallows, Way::Stands, Way::Trickles];

/// Forwards connections to a port of this machine.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    way: Arc<AtomicU8>,
}

impl Proxy {
    /// A proxy before `port`.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let here = listener.local_addr().expect("an address").port();
        let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (open, way) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU8::new(0)));
        let (there_counter, back_counter, held) = (sent.clone(), received.clone(), open.clone());
        let its_way = way.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for stream in [&client, &server] {
                    held.lock().unwrap().push(stream.try_clone().expect("a stream"));
                }
                let (client2, server2) = (client.try_clone().expect("a stream"), server.try_clone().expect("a stream"));
                let (counter, there) = (there_counter.clone(), way.clone());
                std::thread::spawn(move || forward(client, server, &counter, &there));
                let (counter, back) = (back_counter.clone(), way.clone());
                std::thread::spawn(move || forward(server2, client2, &counter, &back));
            }
        });
        Proxy { port: here, sent, received, open, way: its_way }
    }

    /// Bytes that went to the server so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that came back so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// From now on it goes this way, on all connections.
    pub fn goes(&self, way: Way) {
        self.way.store(way as u8, Ordering::Relaxed);
    }

    /// Cuts all connections that are open.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64, way: &AtomicU8) {
    let way = || WAYS[usize::from(way.load(Ordering::Relaxed))];
    let mut buffer = [0; 1 << 16];
    loop {
        while way() == Way::Stands {
            std::thread::sleep(Duration::from_millis(10));
        }
        let most = if way() == Way::Trickles { 4 << 10 } else { buffer.len() };
        let Ok(n @ 1..) = from.read(&mut buffer[..most]) else { break };
        counter.fetch_add(n as u64, Ordering::Relaxed);
        match way() {
            Way::Open => {}
            Way::Swallows => continue,
            Way::Stands | Way::Trickles => std::thread::sleep(Duration::from_millis(20)),
        }
        if to.write_all(&buffer[..n]).is_err() {
            // Who sends must hear that nobody takes it any more.
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
