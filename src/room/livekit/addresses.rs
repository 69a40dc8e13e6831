//! Which of this machine's addresses media can use, and what changed of them.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How often the interfaces are looked at. A lost path is noticed at that time or, where the
/// address stays, when the server's answers stop.
const EVERY: Duration = Duration::from_secs(2);

/// Addresses used at most; a machine with more has virtual ones by the dozen.
const MOST: usize = 16;

/// Whether an interface's address may become a candidate.
///
/// Loopback only when the server is on this machine: elsewhere nobody can reach it. IPv6
/// link-local addresses need a zone, which candidates don't carry.
#[must_use]
pub fn usable(address: IpAddr, server_is_local: bool) -> bool {
    match address {
        _ if address.is_loopback() => server_is_local,
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

/// The usable addresses of interfaces that are up and have a carrier.
///
/// # Errors
/// When the system doesn't tell.
pub fn present(server_is_local: bool) -> io::Result<BTreeSet<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?.into_iter();
    let up = interfaces.filter(if_addrs::Interface::is_oper_up);
    Ok(up
        .map(|interface| interface.ip())
        .filter(|address| usable(*address, server_is_local))
        .take(MOST)
        .collect())
}

/// What changed between two looks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New addresses.
    pub added: Vec<IpAddr>,
    /// Addresses that are gone.
    pub removed: Vec<IpAddr>,
}

impl Change {
    /// From `before` to `now`.
    #[must_use]
    pub fn between(before: &BTreeSet<IpAddr>, now: &BTreeSet<IpAddr>) -> Self {
        Self {
            added: now.difference(before).copied().collect(),
            removed: before.difference(now).copied().collect(),
        }
    }
}

/// When the interfaces are to be looked at.
#[derive(Debug)]
pub struct Rounds {
    next: Instant,
}

impl Rounds {
    /// They were looked at now.
    #[must_use]
    pub fn begin(now: Instant) -> Self {
        Self { next: now + EVERY }
    }

    /// When to look next.
    #[must_use]
    pub const fn next(&self) -> Instant {
        self.next
    }

    /// Whether it is time; if so, the next round begins.
    pub fn due(&mut self, now: Instant) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + EVERY;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loopback_is_offered_to_a_server_on_this_machine_only() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(usable(loopback, true));
        assert!(!usable(loopback, false));
        assert!(usable(IpAddr::from([192, 168, 1, 7]), false));
        assert!(!usable(IpAddr::from([169, 254, 3, 4]), false));
        assert!(!usable("fe80::1".parse().unwrap(), false));
        assert!(usable("2001:db8::1".parse().unwrap(), false));
    }

    fn addresses() -> impl Strategy<Value = BTreeSet<IpAddr>> {
        let address = (0u8..8).prop_map(|last| IpAddr::from([192, 0, 2, last]));
        prop::collection::btree_set(address, 0..6)
    }

    proptest! {
        #[test]
        fn a_change_leads_from_what_was_to_what_is(before in addresses(), now in addresses()) {
            let change = Change::between(&before, &now);
            let mut after = before.clone();
            for gone in &change.removed {
                prop_assert!(after.remove(gone));
            }
            for new in &change.added {
                prop_assert!(after.insert(*new));
            }
            prop_assert_eq!(after, now);
        }
    }

    #[test]
    fn the_interfaces_are_looked_at_in_rounds() {
        let now = Instant::now();
        let mut rounds = Rounds::begin(now);
        assert!(!rounds.due(now + EVERY / 2));
        // Late, as after a machine's sleep: one look makes up for all that were missed.
        let late = now + 100 * EVERY;
        assert!(rounds.due(late));
        assert!(!rounds.due(late));
        assert_eq!(rounds.next(), late + EVERY);
    }
}
