//! Maps and lists of string pairs.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use crate::carrier::{Extract, Inject};

impl<K, V, S> Extract for HashMap<K, V, S>
where
    K: Borrow<str> + Eq + Hash,
    V: AsRef<str>,
    S: BuildHasher,
{
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        match self.get(name) {
            Some(value) => each(value.as_ref()),
            None => scan(self.iter(), name, each),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.keys().map(Borrow::borrow).collect()
    }
}

impl<K, V, S> Inject for HashMap<K, V, S>
where
    K: From<&'static str> + Eq + Hash,
    V: From<String>,
    S: BuildHasher,
{
    fn set(&mut self, name: &'static str, value: String) {
        self.insert(K::from(name), V::from(value));
    }
}

impl<K: Borrow<str> + Ord, V: AsRef<str>> Extract for BTreeMap<K, V> {
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        match self.get(name) {
            Some(value) => each(value.as_ref()),
            None => scan(self.iter(), name, each),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.keys().map(Borrow::borrow).collect()
    }
}

impl<K: From<&'static str> + Ord, V: From<String>> Inject for BTreeMap<K, V> {
    fn set(&mut self, name: &'static str, value: String) {
        self.insert(K::from(name), V::from(value));
    }
}

impl<K: Borrow<str>, V: AsRef<str>> Extract for [(K, V)] {
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        scan(self.iter().map(|(key, value)| (key, value)), name, each);
    }

    fn names(&self) -> Vec<&str> {
        self.iter().map(|(key, _)| key.borrow()).collect()
    }
}

impl<K: Borrow<str>, V: AsRef<str>> Extract for Vec<(K, V)> {
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        self.as_slice().each_value(name, each);
    }

    fn names(&self) -> Vec<&str> {
        self.as_slice().names()
    }
}

impl<K: From<&'static str> + Borrow<str>, V: From<String>> Inject for Vec<(K, V)> {
    fn set(&mut self, name: &'static str, value: String) {
        self.retain(|(key, _)| !key.borrow().eq_ignore_ascii_case(name));
        self.push((K::from(name), V::from(value)));
    }
}

fn scan<'a, K: Borrow<str> + 'a, V: AsRef<str> + 'a>(
    pairs: impl Iterator<Item = (&'a K, &'a V)>,
    name: &str,
    each: &mut dyn FnMut(&'a str),
) {
    for (key, value) in pairs {
        if key.borrow().eq_ignore_ascii_case(name) {
            each(value.as_ref());
        }
    }
}
