//! Structs that are printed as JSON in runc's shape.

/// A struct with public fields. One with `unless "empty"` is left out where it is zero, empty or absent, as Go does it
/// with `omitempty`.
macro_rules! shape {
    ($( $(#[$meta:meta])* $name:ident {
        $( $(#[$doc:meta])* $field:ident : $t:ty $(, unless $empty:literal)? ; )*
    } )*) => { $(
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        $(#[$meta])*
        pub struct $name {
            $( $(#[$doc])* $( #[serde(skip_serializing_if = $empty)] )? pub $field: $t, )*
        }
    )* };
}
pub(crate) use shape;

pub fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
