//! What writing and reading share: the columns that are no attributes, in their order.
//!
//! A span is a *template*, which is an operation and a shape, and a word for each of its *slots*:
//! first the lanes, which every span has, then its own attributes. A slot that has the same word in
//! all spans of a template is told once, with the template; the others are told span by span.
//!
//! What spans have but hardly differ in is a *class*: scope, kind, status and so on.

use tracewell_model::attribute::ValueType;

/// The slots that every span has.
pub(super) mod lane {
    pub(in super::super) const RESOURCE: usize = 0;
    pub(in super::super) const CLASS: usize = 1;
    /// Bytes in the section of tails.
    pub(in super::super) const TAIL: usize = 2;
    pub(in super::super) const COUNT: usize = 3;
}

/// The columns that are no attributes; those of attributes follow.
pub(super) mod column {
    /// Of each template.
    pub(in super::super) const OPERATION: usize = 0;
    /// Of each resource two, of each scope three.
    pub(in super::super) const NAME: usize = 1;
    /// Of each resource and scope.
    pub(in super::super) const OPAQUE: usize = 2;
    /// Those of classes, from here on.
    pub(in super::super) const CLASSES: usize = 3;
    pub(in super::super) const MESSAGE: usize = CLASSES + super::class::MESSAGE;
    /// Those of lanes, from here on.
    pub(in super::super) const LANES: usize = CLASSES + super::class::COUNT;
    pub(in super::super) const ATTRIBUTES: usize = LANES + super::lane::COUNT;
}

/// The fields of a class.
pub(super) mod class {
    pub(in super::super) const MESSAGE: usize = 0;
    pub(in super::super) const SCOPE: usize = 1;
    pub(in super::super) const KIND: usize = 2;
    pub(in super::super) const STATUS: usize = 3;
    pub(in super::super) const FLAGS: usize = 4;
    pub(in super::super) const MARKS: usize = 5;
    /// The shape of its events' attributes.
    pub(in super::super) const EVENTS: usize = 6;
    pub(in super::super) const COUNT: usize = 7;
}

/// The type of a column that is no attribute.
pub(super) fn fixed_type(at: usize) -> ValueType {
    match at {
        column::OPERATION | column::NAME | column::MESSAGE => ValueType::Str,
        column::OPAQUE => ValueType::Bytes,
        // Not in zigzag, as attributes are: there is nothing below zero.
        _ => ValueType::Bool,
    }
}

/// True when a column of this type has a dictionary of bytes.
pub(super) fn has_bytes(value_type: ValueType) -> bool {
    matches!(
        value_type,
        ValueType::Str | ValueType::Bytes | ValueType::Any
    )
}
