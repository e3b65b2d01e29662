//! What matters on a server, most urgent first: [`GROUPS`], and to which of them a path belongs ([`rank`]).
//!
//! Places are those of the Filesystem Hierarchy Standard 3.0 and of the packages' own defaults.

/// Files that are wanted for one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name, one word.
    pub name: &'static str,
    /// What it holds, in words.
    pub what: &'static str,
    /// Where: paths below which everything belongs to it, in the order in which they are copied. `*` is any one name.
    places: &'static [&'static str],
}

/// All groups, most urgent first. A path belongs to the group that has the longest place above it; to none of them,
/// [`REST`].
pub const GROUPS: [Group; 11] = [
    Group {
        name: "keys",
        what: "keys and certificates: without them nothing else can be trusted or opened",
        places: &[
            "root/.ssh",
            "home/*/.ssh",
            "root/.gnupg",
            "home/*/.gnupg",
            "etc/ssh",
            "etc/ssl",
            "etc/pki",
            "etc/letsencrypt",
            "etc/wireguard",
            "etc/openvpn",
            "etc/krb5.keytab",
            "etc/luks",
            "var/lib/acme",
        ],
    },
    Group {
        name: "config",
        what: "configuration: how the server was set up",
        places: &["etc", "usr/local/etc", "opt/*/etc"],
    },
    Group {
        name: "databases",
        what: "databases, each with its write-ahead logs",
        places: &[
            "var/lib/mysql",
            "var/lib/mariadb",
            "var/lib/postgresql",
            "var/lib/pgsql",
            "var/lib/mongodb",
            "var/lib/mongo",
            "var/lib/redis",
            "var/lib/valkey",
            "var/lib/ldap",
            "var/lib/influxdb",
            "var/lib/clickhouse",
            "var/lib/cassandra",
            "var/lib/elasticsearch",
            "var/lib/opensearch",
            "var/lib/couchdb",
            "var/lib/neo4j",
            "var/lib/etcd",
            "var/lib/prometheus",
            "var/lib/grafana",
            "var/lib/rabbitmq",
            "var/lib/kafka",
            "var/lib/zookeeper",
            "var/lib/samba",
        ],
    },
    Group {
        name: "mail",
        what: "mail",
        places: &[
            "var/mail",
            "var/spool/mail",
            "var/vmail",
            "var/lib/dovecot",
            "var/spool/postfix",
            "var/lib/cyrus",
            "home/*/Maildir",
        ],
    },
    Group { name: "home", what: "people's files", places: &["home", "root", "export/home"] },
    Group {
        name: "www",
        what: "web sites and what is served",
        places: &[
            "var/www",
            "srv",
            "usr/share/nginx/html",
            "usr/local/www",
            "var/lib/nginx",
            "opt/www",
            "var/lib/gitlab",
            "var/lib/gitea",
            "var/lib/git",
            "var/opt",
        ],
    },
    Group {
        name: "cron",
        what: "jobs that ran by the clock",
        places: &["var/spool/cron", "var/spool/at", "var/lib/systemd/timers"],
    },
    Group {
        name: "containers",
        what: "containers' and virtual machines' volumes",
        places: &[
            "var/lib/docker/volumes",
            "var/lib/containers/storage/volumes",
            "var/lib/rancher",
            "var/lib/kubelet",
            "var/lib/lxc",
            "var/lib/lxd",
            "var/lib/incus",
            "var/lib/libvirt",
            "var/lib/docker",
            "var/lib/containers",
            "var/lib/containerd",
            "var/lib/machines",
        ],
    },
    Group {
        name: "local",
        what: "software installed by hand, and backups",
        places: &["opt", "usr/local", "var/backups", "backup", "backups", "data", "mnt"],
    },
    Group { name: "logs", what: "logs", places: &["var/log"] },
    Group {
        name: "system",
        what: "the system's own files: a fresh installation has them too",
        places: &[
            "boot",
            "usr",
            "bin",
            "sbin",
            "lib",
            "lib32",
            "lib64",
            "libx32",
            "dev",
            "var/lib/dpkg",
            "var/lib/apt",
            "var/lib/rpm",
            "var/lib/dnf",
        ],
    },
];

/// What belongs to no group: between what is wanted and what any installation has.
pub const REST: Group = Group { name: "other", what: "everything else", places: &[] };

/// What is made anew when it is missing: after everything.
pub const CACHES: Group = Group {
    name: "caches",
    what: "what is made anew when it is missing",
    places: &[
        "var/cache",
        "tmp",
        "var/tmp",
        "home/*/.cache",
        "root/.cache",
        "var/lib/docker/overlay2",
        "lost+found",
        "proc",
        "sys",
        "run",
    ],
};

/// All groups in their order, [`REST`] before logs and system, [`CACHES`] last.
pub fn all() -> impl Iterator<Item = Group> {
    let (wanted, last) = GROUPS.split_at(GROUPS.len() - 2);
    wanted.iter().chain([&REST]).chain(last).chain([&CACHES]).copied().collect::<Vec<_>>().into_iter()
}

/// The place of a path in the order of worth: the number of its group in [`all`], and of the place within the group, so
/// that what lies in one place is copied together.
pub fn rank(path: &[u8]) -> (usize, usize) {
    let mut best: Option<(usize, (usize, usize))> = None;
    let mut rest = (0, 0);
    for (number, group) in all().enumerate() {
        if group == REST {
            rest = (number, 0);
        }
        for (at, place) in group.places.iter().enumerate() {
            if is_below(path, place) && best.is_none_or(|(length, _)| place.len() > length) {
                best = Some((place.len(), (number, at)));
            }
        }
    }
    best.map_or(rest, |(_, rank)| rank)
}

/// True for a path at or below a place.
fn is_below(path: &[u8], place: &str) -> bool {
    let mut names = path.split(|&b| b == b'/');
    place.split('/').all(|wanted| names.next().is_some_and(|name| wanted == "*" || name == wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(path: &str) -> &'static str {
        let (number, _) = rank(path.as_bytes());
        all().nth(number).map_or("", |group| group.name)
    }

    #[test]
    fn the_longest_place_decides() {
        for (path, name) in [
            ("etc/fstab", "config"),
            ("etc/ssh/ssh_host_ed25519_key", "keys"),
            ("home/alice/.ssh/id_ed25519", "keys"),
            ("home/alice/letter", "home"),
            ("home/alice/.cache/x", "caches"),
            ("var/lib/mysql/ib_logfile0", "databases"),
            ("var/lib/mysqlx", "other"),
            ("var/lib/docker/volumes/a/_data/x", "containers"),
            ("var/lib/docker/overlay2/x", "caches"),
            ("var/log/syslog", "logs"),
            ("usr/bin/ls", "system"),
            ("usr/local/bin/own", "local"),
            ("swapfile", "other"),
            ("", "other"),
        ] {
            assert_eq!(group(path), name, "{path}");
        }
    }

    #[test]
    fn worth_falls_from_keys_to_caches() {
        let names: Vec<&str> = all().map(|group| group.name).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("keys", "caches"));
        let at = |name: &str| names.iter().position(|it| *it == name).unwrap();
        assert!(at("databases") < at("home") && at("other") < at("logs") && at("logs") < at("system"));
    }
}
