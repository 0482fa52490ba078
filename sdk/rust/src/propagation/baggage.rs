//! W3C Baggage: names and values of the application's own, carried to every service below.
#![warn(clippy::indexing_slicing)]

use std::fmt::Write;
use std::sync::Arc;

use crate::carrier::{Extract, Inject, combined};
use crate::propagation::trim_ows;

/// Members; the specification asks for 64 at least, its first edition allowed 180.
const MEMBERS_MAX: usize = 180;
/// Bytes of all members together, as a header.
const BYTES_MAX: usize = 8192;

/// Names and values that travel with a trace. Cheap to clone.
///
/// ```
/// use tracewell_sdk::Baggage;
///
/// let baggage = Baggage::default().with("tenant", "größte").with("plan", "free");
/// assert_eq!(baggage.get("tenant"), Some("größte"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baggage(Option<Arc<[Member]>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    value: String,
    /// What stands behind the value's `;`, as it stands.
    properties: String,
}

impl Baggage {
    /// With this member, in place of an older one of its name. A name that is no HTTP token, and a member
    /// beyond the limits (180 members, 8,192 bytes), leave it unchanged.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let member = Member {
            name: name.to_owned(),
            value: value.to_owned(),
            properties: String::new(),
        };
        let mut members = self.without(name).0.as_deref().unwrap_or_default().to_vec();
        members.push(member);
        let baggage = Baggage(Some(members.into()));
        if is_token(name) && baggage.len() <= MEMBERS_MAX && baggage.header().len() <= BYTES_MAX {
            baggage
        } else {
            self.clone()
        }
    }

    /// Without the member of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let others: Vec<Member> = self
            .list()
            .iter()
            .filter(|member| member.name != name)
            .cloned()
            .collect();
        Baggage((!others.is_empty()).then(|| others.into()))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.list()
            .iter()
            .find(|member| member.name == name)
            .map(|member| member.value.as_str())
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list()
            .iter()
            .map(|member| (member.name.as_str(), member.value.as_str()))
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn list(&self) -> &[Member] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Reads a header's value. Members that are none, and those beyond the limits, are left out; of
    /// one name's members the last counts.
    fn parse(header: &str) -> Self {
        let mut members: Vec<Member> = Vec::new();
        let mut bytes = 0;
        for text in header.split(',') {
            bytes += text.len() + 1;
            if bytes > BYTES_MAX + 1 {
                break;
            }
            let Some(member) = parse_member(text) else {
                continue;
            };
            members.retain(|older| older.name != member.name);
            if members.len() == MEMBERS_MAX {
                break;
            }
            members.push(member);
        }
        Baggage((!members.is_empty()).then(|| members.into()))
    }

    fn header(&self) -> String {
        let mut header = String::new();
        for member in self.list() {
            if !header.is_empty() {
                header.push(',');
            }
            header.push_str(&member.name);
            header.push('=');
            put_encoded(&mut header, &member.value);
            if !member.properties.is_empty() {
                header.push(';');
                header.push_str(&member.properties);
            }
        }
        header
    }
}

pub(super) fn extract(carrier: &impl Extract) -> Baggage {
    Baggage::parse(&combined(carrier, "baggage"))
}

pub(super) fn inject(baggage: &Baggage, carrier: &mut impl Inject) {
    if !baggage.is_empty() {
        carrier.set("baggage", baggage.header());
    }
}

fn parse_member(text: &str) -> Option<Member> {
    let (pair, properties) = text.split_once(';').unwrap_or((text, ""));
    let (name, value) = pair.split_once('=')?;
    let (name, value) = (trim_ows(name), trim_ows(value));
    let properties = trim_ows(properties);
    let printable = |text: &str| text.bytes().all(|byte| matches!(byte, 0x20..=0x7e | b'\t'));
    if !is_token(name) || !value.bytes().all(is_baggage_octet) || !printable(properties) {
        return None;
    }
    Some(Member {
        name: name.to_owned(),
        value: decoded(value),
        properties: properties.to_owned(),
    })
}

/// Percent-decoded; what is no UTF-8 then becomes the replacement character, as the specification says.
pub(crate) fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| hex)
        });
        bytes.push(byte.unwrap_or(*first));
        rest = more
            .get(if byte.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn put_encoded(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if is_baggage_octet(byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _to_a_string = write!(out, "%{byte:02X}");
        }
    }
}

fn is_baggage_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

/// RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}
