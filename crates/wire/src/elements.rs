//! The elements of a JSON array, each kept as its own text, so that a bad one costs only itself.
#![warn(clippy::indexing_slicing)]

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess};
use serde_json::value::RawValue;

/// The elements of an array of objects. What is no object is only counted: `[0,0,…` would otherwise
/// take eight times its size in memory.
#[derive(Debug, Default)]
pub(crate) struct Elements<'a> {
    /// In chunks: growing one long vector would hold it twice, and `{},` is only three bytes.
    objects: Vec<Vec<&'a RawValue>>,
    count: usize,
    /// Positions of the first elements that are no objects.
    others: Vec<usize>,
    /// How many more there are.
    others_untold: usize,
}

/// What stands at one place of the array.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element<'a> {
    /// An object's text.
    Object(&'a RawValue),
    /// Something else.
    Other,
}

const CHUNK_LENGTH: usize = 4_096;
const OTHERS_TOLD_MAX: usize = 1_000;

impl<'a> Elements<'a> {
    /// The elements in order; others beyond the first thousand come last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Element<'a>> + '_ {
        let mut objects = self.objects.iter().flatten();
        let mut others = self.others.iter().copied().peekable();
        let told = self.count + self.others.len();
        (0..told + self.others_untold).map(move |at| match others.next_if_eq(&at) {
            Some(_) => Element::Other,
            None => objects
                .next()
                .map_or(Element::Other, |object| Element::Object(object)),
        })
    }
}

impl<'a> Elements<'a> {
    fn push(&mut self, object: &'a RawValue) {
        self.count += 1;
        match self.objects.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_LENGTH => chunk.push(object),
            _ => self.objects.push(vec![object]),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of objects")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Elements::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Elements::default();
                while let Some(element) = seq.next_element::<&RawValue>()? {
                    if element.get().starts_with('{') {
                        elements.push(element);
                    } else if elements.others.len() < OTHERS_TOLD_MAX {
                        elements.others.push(elements.count + elements.others.len());
                    } else {
                        elements.others_untold += 1;
                    }
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
