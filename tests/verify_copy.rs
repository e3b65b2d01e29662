//! A copy checked against its manifest: everything that was changed is told, and nothing else.

mod common;
mod copying;

use std::fs;
use std::io::Write;

use common::{Scratch, tool};
use copying::{EVERYTHING, copy, ext4};
use offmount::copy::{Difference, Verified, What, verify};
use offmount::progress::Silent;

const MIB: u64 = 1 << 20;

fn verified(copy: &std::path::Path) -> (Verified, Vec<String>) {
    let mut told = Vec::new();
    let mut each = |it: &Difference| {
        let what = match &it.what {
            What::Missing => "missing".into(),
            What::Extra => "extra".into(),
            What::Unreadable(_) => "unreadable".into(),
            What::Differs(name, ..) => name.clone(),
        };
        told.push(format!("{} {what}", String::from_utf8_lossy(&it.path)));
    };
    let verified = verify(copy, Some(2), &Silent, &mut each).unwrap();
    told.sort();
    (verified, told)
}

#[test]
fn what_was_changed_is_told_and_nothing_else() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 * MIB, EVERYTHING);
    let to = scratch.join("copy");
    copy(&image, &to);
    let (clean, told) = verified(&to);
    assert!(clean.is_clean() && told.is_empty(), "{clean:?} {told:?}");

    let script = r#"
        printf X | dd of=var/log/f9 conv=notrunc bs=1 seek=100 status=none; touch -r etc/passwd -c var/log/f9
        touch -d @0 var/log/f9
        rm var/log/f10; echo new > etc/new; mkdir more; echo inside > more/inside
        chmod 600 var/log/f11; chown 7:7 var/log/f12; truncate -s 3 var/log/f13; touch -d 2000-01-01 var/log/f13
        ln -sfn elsewhere etc/long; setfattr -n user.tag -v other etc/passwd
        rm home/alice/pipe; mkdir home/alice/pipe
    "#;
    let ran = common::run(common::system("bash").args(["-euc", script]).current_dir(&to), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let (changed, told) = verified(&to);
    let mut expected = vec![
        "etc modified",
        "etc/deep/er/hard user.tag",
        "etc/long modified",
        "etc/long target",
        "etc/new extra",
        "etc/passwd user.tag",
        "hard2 user.tag",
        "home/alice modified",
        "home/alice/pipe kind",
        "more extra",
        "var/log modified",
        "var/log/f10 missing",
        "var/log/f11 mode",
        "var/log/f12 owner",
        "var/log/f13 modified",
        "var/log/f13 size",
        "var/log/f9 blake3",
        "var/log/f9 modified",
        ". modified",
    ];
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!((changed.missing, changed.extra, changed.is_clean()), (1, 2, false));
}

#[test]
fn a_damaged_manifest_is_told_and_the_rest_is_checked() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "echo 1 > a; echo 2 > b");
    let to = scratch.join("copy");
    copy(&image, &to);
    let manifest = to.join(".offmount/manifest.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&manifest).unwrap();
    file.write_all(b"{\"path\": \"a\", garbage\n\xff\xfe\n[]\n{\"path\":\"c\"}\n").unwrap();
    let (checked, _) = verified(&to);
    assert_eq!((checked.garbage, checked.is_clean(), checked.differing), (4, false, 0));
    tool("rm", &["-r", to.join(".offmount").to_str().unwrap()]);
    assert!(verify(&to, None, &Silent, &mut |_| {}).is_err());
}

#[test]
fn a_manifest_that_leads_outside_is_not_followed() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 64 * MIB, "mkdir d; echo 1 > d/a");
    let to = scratch.join("copy");
    copy(&image, &to);
    fs::remove_dir_all(to.join("d")).unwrap();
    std::os::unix::fs::symlink("/etc", to.join("d")).unwrap();
    let manifest = to.join(".offmount/manifest.jsonl");
    let text = fs::read_to_string(&manifest).unwrap();
    let line = text.lines().find(|line| line.contains("d/a")).unwrap();
    let outside = [line.replace("d/a", "../../../../../etc/passwd"), line.replace("d/a", "d/passwd")].join("\n");
    fs::write(&manifest, format!("{text}{outside}\n")).unwrap();
    let (_, told) = verified(&to);
    for path in ["../../../../../etc/passwd", "d/passwd", "d/a"] {
        assert!(told.contains(&format!("{path} unreadable")), "{path}: {told:?}");
    }
}
