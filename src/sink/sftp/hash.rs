//! Digests of files computed by the other machine: `b3sum`, `sha256sum` and their kin over `ssh`, where it lets us.
//!
//! They write a line for each file: the digest, two spaces, the name; where the name holds a backslash or a newline the line
//! begins with a backslash and those are written `\\` and `\n` (GNU coreutils manual, "md5sum invocation").

use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::Child;

use super::super::store::Digest;
use super::ssh::Way;

/// Algorithms and the programs that compute them.
const PROGRAMS: [(&str, &str); 4] =
    [("blake3", "b3sum"), ("sha256", "sha256sum"), ("sha1", "sha1sum"), ("md5", "md5sum")];

/// The algorithms that the other machine has programs for; none where it gives us no shell.
pub fn available(way: &Way) -> Vec<&'static str> {
    let script =
        "for p in b3sum sha256sum sha1sum md5sum; do command -v $p >/dev/null && echo $p; done; command -v xargs";
    let said = way.shell(script).map(|child| talk(child, b"")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let has = |program: &str| said.lines().any(|line| line == program);
    match said.contains("xargs") {
        true => PROGRAMS.iter().filter(|(_, program)| has(program)).map(|(algorithm, _)| *algorithm).collect(),
        false => Vec::new(),
    }
}

/// Digests of files below `root`, as far as the other machine gives them.
pub fn digests(way: &Way, root: &[u8], paths: &[&[u8]], algorithm: &str) -> Vec<Option<Digest>> {
    let Some((_, program)) = PROGRAMS.iter().find(|(name, _)| *name == algorithm) else {
        return vec![None; paths.len()];
    };
    let names: Vec<Vec<u8>> = [root].into_iter().chain(paths.iter().copied()).map(<[u8]>::to_vec).collect();
    // The first name is the directory, the others lie below it. No name is ever part of the command.
    let script = format!("xargs -0 -x sh -c 'cd -- \"$0\" && exec {program} -- \"$@\"'");
    let mut found: HashMap<Vec<u8>, Digest> = HashMap::new();
    let mut rest = &names[1..];
    while !rest.is_empty() {
        let (mut bytes, mut count) = (0, 0);
        while rest.get(count).is_some_and(|name| count == 0 || bytes + name.len() < LONGEST) {
            bytes += rest[count].len();
            count += 1;
        }
        let (batch, after) = rest.split_at(count);
        rest = after;
        let mut input = Vec::new();
        for name in std::iter::once(&names[0]).chain(batch) {
            input.extend_from_slice(name);
            input.push(0);
        }
        let said = way.shell(&script).map(|child| talk(child, &input)).unwrap_or_default();
        found.extend(said.split(|&b| b == b'\n').filter_map(parse));
    }
    paths.iter().map(|path| found.remove(*path)).collect()
}

/// Bytes of names given to one command: `xargs` would cut longer lists itself (128 KiB), and then lose the directory.
const LONGEST: usize = 64 << 10;

/// A line of a list of sums.
fn parse(line: &[u8]) -> Option<(Vec<u8>, Digest)> {
    let (is_escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |line| (true, line));
    let space = line.iter().position(|&b| b == b' ')?;
    let name = line.get(space + 2..)?;
    let text = std::str::from_utf8(&line[..space]).ok()?;
    let digits: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    Some((if is_escaped { unescaped(name) } else { name.to_vec() }, digits.filter(|digits| digits.len() >= 16)?))
}

fn unescaped(name: &[u8]) -> Vec<u8> {
    let (mut plain, mut bytes) = (Vec::with_capacity(name.len()), name.iter());
    while let Some(&b) = bytes.next() {
        match (b, b == b'\\') {
            (_, true) => match bytes.next() {
                Some(b'n') => plain.push(b'\n'),
                Some(b'r') => plain.push(b'\r'),
                Some(&other) => plain.push(other),
                None => plain.push(b'\\'),
            },
            (b, _) => plain.push(b),
        }
    }
    plain
}

/// Feeds a command and takes what it says.
fn talk(mut child: Child, input: &[u8]) -> Vec<u8> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut said = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // What the command does not read it does not want.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        scope.spawn(move || {
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut Vec::new()));
        });
        if let Some(mut stdout) = stdout {
            let _ = stdout.read_to_end(&mut said);
        }
    });
    let _ = child.wait();
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_sums() {
        let digest = "00".repeat(16);
        let line = |name: &str| format!("{digest}  {name}").into_bytes();
        assert_eq!(parse(&line("a b")), Some((b"a b".to_vec(), vec![0; 16])));
        assert_eq!(parse(&[b"\\", &line("a\\nb\\\\")[..]].concat()), Some((b"a\nb\\".to_vec(), vec![0; 16])));
        assert_eq!(parse(b"b3sum: no such file"), None);
    }
}
