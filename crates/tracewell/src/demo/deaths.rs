//! Which of the shop's processes die, and when: inventory's second pod in every three minutes, and every minute both
//! pods of a service that is told to. What a pod had not sent in its last second is gone with it.

const SECOND_NS: u64 = 1_000_000_000;
/// Pods send this often, so as much is lost with one.
const UNSENT_NS: u64 = SECOND_NS;

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Lives,
    /// It works, and will not come to send what it records.
    Doomed,
    /// Calls to it fail.
    Dead,
}

/// A service's pod dies again and again.
#[derive(Clone, Copy, Debug)]
struct Death {
    service: &'static str,
    /// One of the two pods; otherwise both.
    pod: Option<u64>,
    every_ns: u64,
    lasts_ns: u64,
}

impl Death {
    fn life(&self, at_unix_ns: u64) -> Life {
        let phase = at_unix_ns % self.every_ns;
        let dies = self.every_ns - self.lasts_ns;
        match phase {
            _ if phase >= dies => Life::Dead,
            _ if phase + UNSENT_NS >= dies => Life::Doomed,
            _ => Life::Lives,
        }
    }
}

/// All that die.
#[derive(Clone, Debug)]
pub(crate) struct Deaths(Vec<Death>);

impl Deaths {
    /// Inventory's, and those of this service.
    pub(crate) fn new(crash: Option<&'static str>) -> Deaths {
        let crash = crash.map(|service| Death {
            service,
            pod: None,
            every_ns: 60 * SECOND_NS,
            lasts_ns: 10 * SECOND_NS,
        });
        let inventory = Death {
            service: "inventory",
            pod: Some(1),
            every_ns: 180 * SECOND_NS,
            lasts_ns: 20 * SECOND_NS,
        };
        Deaths(crash.into_iter().chain([inventory]).collect())
    }

    /// How this pod is at this time.
    pub(crate) fn life(&self, service: &str, pod: u64, at_unix_ns: u64) -> Life {
        let of_pod =
            |death: &&Death| death.service == service && death.pod.is_none_or(|of| of == pod);
        let lives = self
            .0
            .iter()
            .filter(of_pod)
            .map(|death| death.life(at_unix_ns));
        lives.max_by_key(|life| *life as u8).unwrap_or(Life::Lives)
    }

    /// The pods that are dead at this time.
    pub(crate) fn dead(&self, at_unix_ns: u64) -> impl Iterator<Item = (&'static str, u64)> {
        let dead = self
            .0
            .iter()
            .filter(move |death| death.life(at_unix_ns) == Life::Dead);
        dead.flat_map(|death| {
            let pods = [0, 1]
                .into_iter()
                .filter(|pod| death.pod.is_none_or(|of| of == *pod));
            pods.map(|pod| (death.service, pod))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_to_crash_is_doomed_then_dead_then_lives() {
        let deaths = Deaths::new(Some("cart"));
        let life = |second: u64| deaths.life("cart", 0, second * SECOND_NS);
        assert_eq!(
            [48, 49, 50, 59, 60].map(life),
            [
                Life::Lives,
                Life::Doomed,
                Life::Dead,
                Life::Dead,
                Life::Lives
            ]
        );
        let dead = |second: u64| deaths.dead(second * SECOND_NS).collect::<Vec<_>>();
        assert_eq!(dead(55), [("cart", 0), ("cart", 1)]);
        assert_eq!(dead(161), [("inventory", 1)]);
        assert_eq!(deaths.life("inventory", 0, 161 * SECOND_NS), Life::Lives);
    }
}
