//! Extended headers: records of the form `LENGTH KEY=VALUE\n`.

use crate::time::Time;

/// The records of one extended header.
#[derive(Default)]
pub struct Records(Vec<u8>);

impl Records {
    /// Adds a record.
    pub fn add(&mut self, key: &str, value: &[u8]) {
        self.add_raw(key.as_bytes(), value);
    }

    /// Adds an extended attribute. `=` and `%` in its name are written as `%` and two digits, as GNU tar does.
    pub fn add_xattr(&mut self, name: &[u8], value: &[u8]) {
        let mut key = b"SCHILY.xattr.".to_vec();
        for &b in name {
            match b {
                b'=' => key.extend_from_slice(b"%3D"),
                b'%' => key.extend_from_slice(b"%25"),
                _ => key.push(b),
            }
        }
        self.add_raw(&key, value);
    }

    fn add_raw(&mut self, key: &[u8], value: &[u8]) {
        // The length counts its own digits too.
        let rest = key.len() + value.len() + 3; // space, equals sign, newline
        let mut len = rest + 1;
        while len.to_string().len() + rest != len {
            len = len.to_string().len() + rest;
        }
        self.0.extend_from_slice(format!("{len} ").as_bytes());
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    /// The records as text; `None` where there are none.
    pub fn bytes(&self) -> Option<&[u8]> {
        (!self.0.is_empty()).then_some(&self.0)
    }
}

/// A point in time in decimal seconds.
pub fn time(time: Time) -> String {
    match (time.secs, time.nanos) {
        (secs, 0) => secs.to_string(),
        // The fraction counts away from zero: half a second before the epoch is -0.5.
        (secs, nanos) if secs < 0 => format!("-{}.{:09}", (secs + 1).unsigned_abs(), 1_000_000_000 - nanos),
        (secs, nanos) => format!("{secs}.{nanos:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        // The first two are examples of the standard's rationale and of GNU tar's manual.
        for (key, value, record) in [
            ("atime", "1350244992.023960108", "30 atime=1350244992.023960108\n"),
            ("a", "", "5 a=\n"),
            ("k", "12345", "11 k=12345\n"),
            ("k", "1234", "9 k=1234\n"),
        ] {
            let mut records = Records::default();
            records.add(key, value.as_bytes());
            assert_eq!(records.bytes(), Some(record.as_bytes()));
        }
    }

    #[test]
    fn times_before_the_epoch() {
        assert_eq!(time(Time { secs: -1, nanos: 500_000_000 }), "-0.500000000");
        assert_eq!(time(Time { secs: -2, nanos: 1 }), "-1.999999999");
        assert_eq!(time(Time { secs: 5, nanos: 7 }), "5.000000007");
        assert_eq!(time(Time::from_secs(-3)), "-3");
    }
}
