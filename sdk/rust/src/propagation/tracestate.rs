//! `tracestate`: at most 32 members, their order kept. Level 1 of the specification and level 2 differ in
//! the grammar of keys; level 2 allows all that level 1 does, and is what travels unless a propagator is told
//! otherwise.
#![warn(clippy::indexing_slicing)]

use std::fmt;
use std::sync::Arc;

use crate::carrier::{Extract, combined};
use crate::propagation::trim_ows;

/// Members of a list (both levels).
const MEMBERS_MAX: usize = 32;
/// Characters of a key, and of a value.
const KEY_MAX: usize = 256;
const VALUE_MAX: usize = 256;
/// Level 1: characters before and after a key's `@`.
const TENANT_MAX: usize = 241;
const SYSTEM_MAX: usize = 14;

/// A level of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The recommendation of 2020 and 2021: a key begins with a letter, or is `tenant@system`.
    One,
    /// Its successor: a key begins with a letter or a digit, and `@` is a character like others.
    Two,
}

/// Why a `tracestate` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalid {
    /// A member that is no `key=value`, or of forbidden characters or lengths.
    Member,
    /// More than 32 members.
    TooMany,
    /// One key twice.
    Duplicate,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invalid::Member => "a member is no key=value of allowed characters and lengths",
            Invalid::TooMany => "more than 32 members",
            Invalid::Duplicate => "a key stands twice",
        })
    }
}

impl std::error::Error for Invalid {}

/// What other tracing systems left for themselves, carried on unchanged. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceState(Option<Arc<str>>);

impl TraceState {
    /// Reads a header's value, strictly: a key that stands twice is an error.
    pub fn parse(header: &str, level: Level) -> Result<Self, Invalid> {
        let members = members(header, level)?;
        if repeats(&members) {
            return Err(Invalid::Duplicate);
        }
        Ok(Self::of(&members))
    }

    /// From all `tracestate` headers of a carrier together. Of a key that stands twice level 2 keeps the first:
    /// it is the later one, for members are added on the left. Level 1 takes such a list for none.
    pub(super) fn extract(carrier: &impl Extract, level: Level) -> Self {
        let header = combined(carrier, "tracestate");
        if level == Level::One {
            return Self::parse(&header, level).unwrap_or_default();
        }
        let Ok(mut members) = members(&header, level) else {
            return TraceState::default();
        };
        if repeats(&members) {
            let mut seen = Vec::new();
            members.retain(|(key, _)| {
                let new = !seen.contains(key);
                seen.push(*key);
                new
            });
        }
        Self::of(&members)
    }

    /// As a header's value; empty when there is nothing.
    pub fn header(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.header()
            .split(',')
            .filter_map(|member| member.split_once('='))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    /// With this member first, as the specification asks of one that changes; the last member goes if
    /// there are 32 others.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, Invalid> {
        if !is_key(key, Level::Two) || !is_value(value) {
            return Err(Invalid::Member);
        }
        let others = self.members().filter(|(known, _)| *known != key);
        let members: Vec<_> = std::iter::once((key, value))
            .chain(others)
            .take(MEMBERS_MAX)
            .collect();
        Ok(Self::of(&members))
    }

    fn of(members: &[(&str, &str)]) -> Self {
        if members.is_empty() {
            return TraceState::default();
        }
        let members: Vec<String> = members
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        TraceState(Some(members.join(",").into()))
    }
}

fn members(header: &str, level: Level) -> Result<Vec<(&str, &str)>, Invalid> {
    let mut members = Vec::new();
    for member in header.split(',') {
        // A value's leading spaces are its own; around a member spaces and tabs are nobody's.
        let member = trim_ows(member);
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=').ok_or(Invalid::Member)?;
        if !is_key(key, level) || !is_value(value) {
            return Err(Invalid::Member);
        }
        if members.len() == MEMBERS_MAX {
            return Err(Invalid::TooMany);
        }
        members.push((key, value));
    }
    Ok(members)
}

fn repeats(members: &[(&str, &str)]) -> bool {
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

fn is_key(key: &str, level: Level) -> bool {
    let starts = |key: &str, digit: bool| {
        key.bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || (digit && b.is_ascii_digit()))
    };
    let plain = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/')
    };
    match (level, key.split_once('@')) {
        (Level::Two, _) => {
            key.len() <= KEY_MAX && starts(key, true) && key.bytes().all(|b| plain(b) || b == b'@')
        }
        (Level::One, None) => key.len() <= KEY_MAX && starts(key, false) && key.bytes().all(plain),
        (Level::One, Some((tenant, system))) => {
            tenant.len() <= TENANT_MAX
                && system.len() <= SYSTEM_MAX
                && starts(tenant, true)
                && starts(system, false)
                && tenant.bytes().chain(system.bytes()).all(plain)
        }
    }
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=VALUE_MAX).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ')
}
