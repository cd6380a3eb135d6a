//! Jobs of other users, for root: every user in the password file, in the places where state is kept for
//! them by default. What is there is hostile until shown otherwise; see `journal::entries_of`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clock::Timestamp;
use crate::journal::{self, Entry, Look, OtherUser};
use crate::plan::Host;

/// The password file (passwd(5)). Users that are only in a directory service are not looked at: nobody can
/// list those without asking it.
const PASSWD: &str = "/etc/passwd";
/// Where state is kept below a user's home.
const BELOW_HOME: &str = ".local/state/cronward";
/// Where root may have made a directory for a user without a home.
const USERS: &str = "/var/lib/cronward-users";

/// A user's home by the password file.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    user: OtherUser,
    home: PathBuf,
}

/// What is on record of each other user of a host who has anything on record, by name; nothing unless we
/// are root there.
pub fn entries(
    host: Option<&dyn Host>,
    look: Look,
    now: Timestamp,
) -> Vec<(String, Result<Vec<Entry>, String>)> {
    if host.is_none_or(|host| host.user() != 0) {
        return Vec::new();
    }
    let passwd = fs::read(PASSWD).unwrap_or_default();
    let mut all = Vec::new();
    for Account { user, home } in accounts(&String::from_utf8_lossy(&passwd)) {
        let id = user.id.to_string();
        for (base, below) in [(home.as_path(), BELOW_HOME), (Path::new(USERS), id.as_str())] {
            match journal::entries_of(&user, base, below, look, now) {
                Ok(entries) if entries.is_empty() => {}
                read => all.push((user.name.clone(), read)),
            }
        }
    }
    all
}

/// The accounts that can have state of their own: not root's, and each id once.
fn accounts(passwd: &str) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields[..] else { continue };
        let Ok(id) = id.parse() else { continue };
        let is_new = id != 0 && accounts.iter().all(|account| account.user.id != id);
        if is_new && home.starts_with('/') {
            accounts.push(Account { user: OtherUser { name: name.to_owned(), id }, home: home.into() });
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_but_roots_is_taken_once_and_lines_that_are_none_are_passed_over() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n# none\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n\
                      alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\nalias:x:1000:1000::/home/alias:/bin/sh\n\
                      toor:x:0:0::/root:/bin/sh\nbad:x:y:1::/z:/s\nshort:x:5\nrelative:x:7:7::home:/bin/sh\n";
        let names: Vec<_> =
            accounts(passwd).into_iter().map(|account| (account.user.name, account.home)).collect();
        assert_eq!(names, [("www-data".into(), "/var/www".into()), ("alice".into(), "/home/alice".into())]);
    }
}
