//! The roll of instances: from when to when each process of a service was heard, and what its SDK said it
//! lost. Facts only widen, so that they may be told twice, in any order, by several aggregators. It is what
//! explains a missing span: a process that fell silent, or that lost spans about then.

use std::collections::BTreeMap;

use tracewell_model::{ResourceRef, Value};

use crate::varint::{Reader, put, put_bytes};

/// Instances that are remembered: the fleet of a large house, or a day of its restarts. Who was heard the
/// longest ago is forgotten first.
const INSTANCES_MAX: usize = 10_000;
/// Spans of time in which an instance lost spans; beyond, neighbours are joined.
const LOSSES_MAX: usize = 16;
const VERSION: u8 = 1;

/// What is known of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its service.
    pub service: String,
    /// Its name: the resource's `service.instance.id`, else its pod, else its host; empty if it has none.
    pub name: String,
    /// The pod or host it runs on; empty if it did not say.
    pub host: String,
    /// Its service's version; empty if it did not say.
    pub version: String,
    /// When the earliest of its spans began.
    pub first_unix_ns: u64,
    /// When the latest of its spans ended.
    pub last_unix_ns: u64,
    /// What it lost, by time.
    pub losses: Vec<Loss>,
}

/// Spans that an SDK lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The lost spans began at or after.
    pub from_unix_ns: u64,
    /// And at or before.
    pub to_unix_ns: u64,
    /// A collector refused them; otherwise they never left the process.
    pub refused: bool,
}

impl Loss {
    /// True when a span that began in this range may be one of them.
    pub fn touches(&self, from_unix_ns: u64, to_unix_ns: u64) -> bool {
        self.from_unix_ns <= to_unix_ns && self.to_unix_ns >= from_unix_ns
    }
}

impl Instance {
    /// What a resource calls its process. Asked for every resource of every batch: it stops at the first answer.
    pub fn name_of(resource: ResourceRef<'_>) -> &str {
        let [mut pod, mut host] = [""; 2];
        for attribute in resource.attributes() {
            match (attribute.key, attribute.value) {
                ("service.instance.id", Value::Str(id)) if !id.is_empty() => return id,
                ("k8s.pod.name", Value::Str(name)) => pod = name,
                ("host.name", Value::Str(name)) => host = name,
                _ => {}
            }
        }
        if pod.is_empty() { host } else { pod }
    }

    /// The instance that a resource is of, not heard yet.
    pub fn of(resource: ResourceRef<'_>) -> Instance {
        let text_of = |key: &str| {
            let mut attributes = resource.attributes();
            let text = attributes.find_map(|attribute| match attribute.value {
                Value::Str(text) if attribute.key == key && !text.is_empty() => Some(text),
                _ => None,
            });
            text.map(str::to_owned)
        };
        let host = text_of("k8s.pod.name").or_else(|| text_of("host.name"));
        Instance {
            service: resource.service().to_owned(),
            name: Instance::name_of(resource).to_owned(),
            host: host.unwrap_or_default(),
            version: text_of("service.version").unwrap_or_default(),
            first_unix_ns: u64::MAX,
            ..Instance::default()
        }
    }

    /// Takes in a time in which it was heard.
    pub fn hear(&mut self, first_unix_ns: u64, last_unix_ns: u64) {
        self.first_unix_ns = self.first_unix_ns.min(first_unix_ns);
        self.last_unix_ns = self.last_unix_ns.max(last_unix_ns);
    }

    /// Takes in a loss; one that touches a known one widens it.
    pub fn lose(&mut self, mut loss: Loss) {
        self.losses.retain(|known| {
            let same =
                known.refused == loss.refused && known.touches(loss.from_unix_ns, loss.to_unix_ns);
            if same {
                loss.from_unix_ns = loss.from_unix_ns.min(known.from_unix_ns);
                loss.to_unix_ns = loss.to_unix_ns.max(known.to_unix_ns);
            }
            !same
        });
        self.losses.push(loss);
        self.losses
            .sort_unstable_by_key(|loss| (loss.from_unix_ns, loss.to_unix_ns, loss.refused));
        if self.losses.len() > LOSSES_MAX {
            // The oldest two become one: it may claim too much of what is long past.
            let oldest = self.losses.remove(0);
            if let Some(next) = self.losses.first_mut() {
                next.from_unix_ns = oldest.from_unix_ns;
            }
        }
    }

    fn widen(&mut self, other: &Instance) {
        self.hear(other.first_unix_ns, other.last_unix_ns);
        other.losses.iter().for_each(|&loss| self.lose(loss));
        for (mine, theirs) in [
            (&mut self.host, &other.host),
            (&mut self.version, &other.version),
        ] {
            if !theirs.is_empty() {
                mine.clone_from(theirs);
            }
        }
    }

    /// As bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for text in [&self.service, &self.name, &self.host, &self.version] {
            put_bytes(out, text.as_bytes());
        }
        put(out, self.first_unix_ns);
        put(out, self.last_unix_ns);
        put(out, self.losses.len() as u64);
        for loss in &self.losses {
            put(out, loss.from_unix_ns);
            put(out, loss.to_unix_ns);
            put(out, loss.refused.into());
        }
    }

    /// And back; `None` for anything else.
    pub fn decode(reader: &mut Reader<'_>) -> Option<Instance> {
        let mut texts = [const { String::new() }; 4];
        for text in &mut texts {
            reader.text()?.clone_into(text);
        }
        let [service, name, host, version] = texts;
        let mut instance = Instance {
            service,
            name,
            host,
            version,
            first_unix_ns: reader.number()?,
            last_unix_ns: reader.number()?,
            losses: Vec::new(),
        };
        for _ in 0..reader.number()? {
            instance.lose(Loss {
                from_unix_ns: reader.number()?,
                to_unix_ns: reader.number()?,
                refused: reader.number()? != 0,
            });
        }
        Some(instance)
    }
}

/// All instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    instances: BTreeMap<(String, String), Instance>,
}

/// A service's instances, and whom else is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollCall {
    /// By name.
    pub instances: Vec<Instance>,
    /// The latest end of any span of any service: an instance is silent only while others speak.
    pub latest_unix_ns: u64,
    /// Why some may be missing; sentences.
    pub incomplete: Vec<String>,
}

impl Roll {
    /// Takes in what is known of an instance.
    pub fn add(&mut self, known: &Instance) {
        let key = (known.service.clone(), known.name.clone());
        if let Some(instance) = self.instances.get_mut(&key) {
            instance.widen(known);
            return;
        }
        if self.instances.len() >= INSTANCES_MAX {
            let all = self.instances.iter();
            let oldest = all.min_by_key(|(_, instance)| instance.last_unix_ns);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.instances.remove(&oldest);
            }
        }
        self.instances.insert(key, known.clone());
    }

    /// The instances of a service.
    pub fn call(&self, service: &str) -> RollCall {
        let from = (service.to_owned(), String::new());
        let of_service = self.instances.range(from..);
        let of_service = of_service.take_while(|((of, _), _)| of == service);
        let all = self.instances.values();
        RollCall {
            instances: of_service.map(|(_, instance)| instance.clone()).collect(),
            latest_unix_ns: all.map(|one| one.last_unix_ns).max().unwrap_or(0),
            incomplete: Vec::new(),
        }
    }

    /// Every instance, by service and name.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// An instance.
    pub fn get(&self, service: &str, name: &str) -> Option<&Instance> {
        let key = (service.to_owned(), name.to_owned());
        self.instances.get(&key)
    }

    /// As bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(out, self.instances.len() as u64);
        self.iter().for_each(|instance| instance.encode(out));
    }

    /// And back; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Roll> {
        let mut reader = Reader(bytes);
        let mut roll = Roll::default();
        if reader.byte()? != VERSION {
            return None;
        }
        for _ in 0..reader.number()? {
            roll.add(&Instance::decode(&mut reader)?);
        }
        reader.is_empty().then_some(roll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(name: &str, first: u64, last: u64) -> Instance {
        Instance {
            service: "cart".to_owned(),
            name: name.to_owned(),
            first_unix_ns: first,
            last_unix_ns: last,
            ..Instance::default()
        }
    }

    fn lost(from_unix_ns: u64, to_unix_ns: u64) -> Loss {
        Loss {
            from_unix_ns,
            to_unix_ns,
            refused: false,
        }
    }

    #[test]
    fn facts_widen_in_any_order_and_survive_their_bytes() {
        let mut told = [
            instance("a", 5, 9),
            instance("a", 3, 7),
            instance("b", 1, 20),
        ];
        told[0].lose(lost(5, 6));
        told[1].lose(lost(6, 8));
        told[1].lose(lost(1, 2));
        let [mut there, mut back] = [Roll::default(), Roll::default()];
        told.iter().for_each(|known| there.add(known));
        told.iter()
            .rev()
            .chain(&told)
            .for_each(|known| back.add(known));
        assert_eq!(there, back);

        let call = there.call("cart");
        assert_eq!(call.latest_unix_ns, 20);
        assert_eq!(call.instances.len(), 2);
        assert_eq!(
            (
                call.instances[0].first_unix_ns,
                call.instances[0].last_unix_ns
            ),
            (3, 9)
        );
        assert_eq!(call.instances[0].losses, [lost(1, 2), lost(5, 8)]);
        assert!(there.call("car").instances.is_empty() && there.call("cart2").instances.is_empty());

        let mut bytes = Vec::new();
        there.encode(&mut bytes);
        assert_eq!(Roll::decode(&bytes).as_ref(), Some(&there));
        for cut in 0..bytes.len() {
            assert_eq!(Roll::decode(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_roll_forgets_who_was_heard_the_longest_ago() {
        let mut roll = Roll::default();
        for number in 0..=INSTANCES_MAX as u64 {
            roll.add(&instance(&number.to_string(), 0, 1_000_000 - number));
        }
        let names: Vec<_> = roll.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.len(), INSTANCES_MAX);
        // The last to come pushed out the oldest there was, though it is older itself.
        assert!(!names.contains(&(INSTANCES_MAX - 1).to_string().as_str()));
        assert!(names.contains(&"0"));
    }

    #[test]
    fn an_instance_that_always_loses_keeps_a_bounded_list() {
        let mut one = instance("a", 0, 0);
        (0..100).for_each(|at| one.lose(lost(at * 10, at * 10 + 1)));
        assert_eq!(one.losses.len(), LOSSES_MAX);
        assert_eq!(one.losses[0].from_unix_ns, 0, "nothing is forgotten");
    }
}
