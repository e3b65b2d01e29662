//! The log of a run: what it holds, that changes are seen, and that minisign's own program takes its signature.

mod common;

use std::fs;

use common::{Scratch, offmount, run, system, testdata, untouched};
use serde_json::Value;

fn entries(log: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_log_tells_what_was_done_and_hashes_the_image() {
    let scratch = Scratch::new();
    let (log, to) = (scratch.join("log"), scratch.join("copy"));
    let image = scratch.copy_of(&testdata("server.img"), "image");
    let logged = ["--log", log.to_str().unwrap(), "--log-field", "case=2026-17", "--hash-image"];
    untouched(&image, |image| {
        let image = image.to_str().unwrap();
        offmount(&[&["copy", image, "--to", to.to_str().unwrap()], &logged[..]].concat()).exits(0);
        offmount(&[&["check", image], &logged[..]].concat());
        offmount(&[&["cat", image, "/no/such/file"], &logged[..]].concat()).exits(1);
    });
    let told = entries(&log);
    let events: Vec<&str> = told.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events.iter().filter(|event| **event == "begin").count(), 3, "{events:?}");
    for event in ["source", "image-hash", "copy", "finding", "check", "message", "end"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let begin = &told[0];
    assert_eq!(begin["fields"]["case"], "2026-17");
    assert!(begin["arguments"].as_array().unwrap().iter().any(|word| word == "--hash-image"));
    let hash = told.iter().find(|entry| entry["event"] == "image-hash").unwrap();
    let sums = run(system("sha256sum").arg(&image), b"");
    assert_eq!(hash["sha256"].as_str(), sums.text().split(' ').next());
    let program = run(system("b3sum").arg("--no-names").arg(env!("CARGO_BIN_EXE_offmount")), b"");
    assert_eq!(begin["tool"]["blake3"].as_str(), Some(program.text().trim()));
    let ends: Vec<u64> =
        told.iter().filter(|entry| entry["event"] == "end").map(|it| it["exit_status"].as_u64().unwrap()).collect();
    assert_eq!(ends, [0, 4, 1]);
    offmount(&["verify-log", log.to_str().unwrap()]).exits(0);

    // One digit of a size, in the middle of the log.
    let changed = fs::read_to_string(&log).unwrap().replacen("\"size\":14680064", "\"size\":14680065", 1);
    fs::write(&log, changed).unwrap();
    let found = offmount(&["verify-log", log.to_str().unwrap()]).exits(1);
    assert!(found.text().contains("line 2: its hash does not match"), "{found:?}");
    // Nothing is appended to a log that is broken.
    let before = fs::read(&log).unwrap();
    let image = testdata("server.img");
    let refused = offmount(&["info", image.to_str().unwrap(), "--log", log.to_str().unwrap()]).exits(2);
    assert!(refused.stderr.contains("choose another file for the log"), "{refused:?}");
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn the_kernel_holds_us_to_reading() {
    let scratch = Scratch::new();
    let log = scratch.join("log");
    let image = testdata("server.img");
    offmount(&["ls", image.to_str().unwrap(), "/", "--log", log.to_str().unwrap()]).exits(0);
    let no_write = &entries(&log)[0]["no_write"];
    if no_write["landlock"] != "enforced" {
        return common::skipped("this kernel has no Landlock");
    }
    let below: Vec<&str> =
        no_write["writing_only_below"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(below, [scratch.path().to_str().unwrap()]);
}

#[test]
fn minisign_takes_the_signature() {
    let scratch = Scratch::new();
    let (log, key, public) = (scratch.join("log"), scratch.join("key"), scratch.join("key.pub"));
    let made = run(system("minisign").args(["-G", "-W", "-s"]).arg(&key).arg("-p").arg(&public), b"");
    assert_eq!(made.code, 0, "{made:?}");
    let image = testdata("server.img");
    let words = ["info", image.to_str().unwrap(), "--log", log.to_str().unwrap(), "--log-sign", key.to_str().unwrap()];
    offmount(&words).exits(0);
    let verified =
        |log: &std::path::Path| run(system("minisign").args(["-V", "-p"]).arg(&public).arg("-m").arg(log), b"");
    assert_eq!(verified(&log).code, 0, "{:?}", verified(&log));
    let check = ["verify-log", log.to_str().unwrap(), "--public-key", public.to_str().unwrap()];
    offmount(&check).exits(0);
    // A whole run more than was signed.
    offmount(&words[..4]).exits(0);
    offmount(&["verify-log", log.to_str().unwrap()]).exits(0);
    offmount(&check).exits(1);
    assert_ne!(verified(&log).code, 0);
}
