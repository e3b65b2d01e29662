//! Every example of the README and of every help runs, on the disk in testdata/.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Ran, Scratch, offmount, run, system, untouched};

/// Runs a line of shell in a folder that has testdata/ in it, with the program on the path.
fn shell(scratch: &Scratch, line: &str) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_offmount")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let script = format!("set -o pipefail; {line}");
    run(system("bash").args(["-c", &script]).env("PATH", path).current_dir(scratch.path()), b"")
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    symlink(common::testdata(""), scratch.join("testdata")).expect("a link to testdata/");
    scratch
}

fn must_work(lines: &[String]) {
    let scratch = scratch();
    for line in lines {
        let ran = shell(&scratch, line);
        // The disk in testdata/ is damaged, which is what check says by its exit code.
        let expected = if line.starts_with("offmount check") { 4 } else { 0 };
        assert_eq!(ran.code, expected, "{line}: {ran:?}");
        assert!(!ran.stdout.is_empty(), "{line}: {ran:?}");
    }
}

/// The verbs, as the program's own help lists them.
fn verbs() -> Vec<String> {
    let help = offmount(&["--help"]).exits(0);
    let listed =
        help.text().lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").map(str::to_owned).collect()
}

#[test]
fn examples_of_help_run() {
    let verbs = verbs();
    assert!(verbs.len() >= 11, "{verbs:?}");
    untouched(&common::testdata("server.img"), |_| {
        for verb in verbs.iter().map(String::as_str).chain([""]) {
            let help =
                offmount(&[verb, "--help"].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>()).exits(0);
            let lines: Vec<String> = help
                .text()
                .lines()
                .filter_map(|line| line.strip_prefix("  offmount "))
                .map(|it| format!("offmount {it}"))
                .collect();
            assert!(!lines.is_empty(), "no example in the help of {verb}");
            must_work(&lines);
        }
    });
}

#[test]
fn examples_of_the_readme_run() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let (mut lines, mut in_shell) = (Vec::new(), false);
    for line in readme.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            _ if in_shell => {
                let line = line.replace("cargo run --release -- ", "offmount ");
                lines.extend(line.starts_with("offmount ").then_some(line));
            }
            _ => {}
        }
    }
    assert!(lines.len() > 5, "{lines:?}");
    untouched(&common::testdata("server.img"), |_| must_work(&lines));
}
