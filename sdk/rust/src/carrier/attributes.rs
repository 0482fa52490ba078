//! Messages whose attributes are objects of a client's own: SQS, SNS, Pub/Sub.

use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::carrier::{Extract, Inject};

/// An attribute of a message that holds text: AWS' `MessageAttributeValue`, whose data type is
/// `String`. Two functions join it, for no client is linked here.
///
/// ```
/// use std::collections::HashMap;
/// use tracewell_sdk::carrier::{Attributes, StringAttributes};
/// use tracewell_sdk::{Context, Propagator};
///
/// // As aws_sdk_sqs has it.
/// struct MessageAttributeValue { data_type: String, string_value: Option<String> }
///
/// struct Sqs;
/// impl StringAttributes for Sqs {
///     type Attribute = MessageAttributeValue;
///     fn of_text(text: String) -> MessageAttributeValue {
///         MessageAttributeValue { data_type: "String".to_owned(), string_value: Some(text) }
///     }
///     fn text(attribute: &MessageAttributeValue) -> Option<&str> {
///         attribute.string_value.as_deref()
///     }
/// }
///
/// let mut message: HashMap<String, MessageAttributeValue> = HashMap::new();
/// Propagator::default().inject(&Context::current(), &mut Attributes::<Sqs, _>::new(&mut message));
/// let caller = Propagator::default().extract(&Attributes::<Sqs, _>::new(&message));
/// # assert!(!caller.span().is_valid());
/// ```
pub trait StringAttributes {
    /// The client's type.
    type Attribute;

    /// An attribute that holds this text.
    fn of_text(text: String) -> Self::Attribute;

    /// The text it holds, if it holds any.
    fn text(attribute: &Self::Attribute) -> Option<&str>;
}

/// A map of such attributes as a carrier; made of `&map` to extract, of `&mut map` to inject. SQS
/// allows ten attributes a message, of which `traceparent`, `tracestate` and `baggage` take up to
/// three.
#[derive(Debug)]
pub struct Attributes<A, M> {
    map: M,
    kind: std::marker::PhantomData<A>,
}

impl<A, M> Attributes<A, M> {
    /// Of this map.
    pub fn new(map: M) -> Self {
        let kind = std::marker::PhantomData;
        Attributes { map, kind }
    }
}

impl<A: StringAttributes, S: BuildHasher> Extract
    for Attributes<A, &HashMap<String, A::Attribute, S>>
{
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        for (key, attribute) in self.map {
            if key.eq_ignore_ascii_case(name)
                && let Some(text) = A::text(attribute)
            {
                each(text);
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        self.map.keys().map(String::as_str).collect()
    }
}

impl<A: StringAttributes, S: BuildHasher> Inject
    for Attributes<A, &mut HashMap<String, A::Attribute, S>>
{
    fn set(&mut self, name: &'static str, value: String) {
        self.map.insert(name.to_owned(), A::of_text(value));
    }
}
