//! The fields of the objects in `config.json`: one line each.

use super::text::Text;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Declares objects of `config.json`. A field is named in camel case unless it says otherwise, and may be missing or null.
/// A list, a map or an option that is empty is not written. A struct that borrows says `borrow` at one of its fields.
macro_rules! objects {
    ($($(#[$about:meta])* pub struct $name:ident $(<$life:lifetime>)? { $($fields:tt)* })*) => {$(
        objects! { @ [$(#[$about])* pub struct $name $(<$life>)?] {} $($fields)* }
    )*};
    // One field after the other goes from the end into the braces, with the attributes that its type asks for.
    (@ $head:tt {$($done:tt)*} $(#[$about:meta])* pub $field:ident: Option<$type:ty>, $($rest:tt)*) => {
        objects! { @ $head {
            $($done)*
            $(#[$about])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>,
        } $($rest)* }
    };
    (@ $head:tt {$($done:tt)*} $(#[$about:meta])* pub $field:ident: Vec<$type:ty>, $($rest:tt)*) => {
        objects! { @ $head {
            $($done)*
            $(#[$about])*
            #[serde(default, deserialize_with = "crate::spec::fields::null_elements", skip_serializing_if = "Vec::is_empty")]
            pub $field: Vec<$type>,
        } $($rest)* }
    };
    (@ $head:tt {$($done:tt)*} $(#[$about:meta])* pub $field:ident: BTreeMap<$key:ty, $value:ty>, $($rest:tt)*) => {
        objects! { @ $head {
            $($done)*
            $(#[$about])*
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub $field: BTreeMap<$key, $value>,
        } $($rest)* }
    };
    (@ $head:tt {$($done:tt)*} $(#[$about:meta])* pub $field:ident: $type:ty, $($rest:tt)*) => {
        objects! { @ $head {
            $($done)*
            $(#[$about])*
            #[serde(default, deserialize_with = "crate::spec::fields::null_default")]
            pub $field: $type,
        } $($rest)* }
    };
    (@ [$($head:tt)*] $fields:tt) => {
        #[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        $($head)* $fields
    };
}
pub(super) use objects;

/// `null` means "not set", as engines written in Go write it.
pub fn null_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// A list in which `null` means an element that has nothing set: engines write nothing of the kind, but for Go it is one.
pub fn null_elements<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    struct Elements<T>(PhantomData<T>);

    impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for Elements<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence")
        }

        fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_some<D: Deserializer<'de>>(self, list: D) -> Result<Self::Value, D::Error> {
            list.deserialize_seq(self)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element::<Option<T>>()? {
                list.push(element.unwrap_or_default());
            }
            Ok(list)
        }
    }

    d.deserialize_option(Elements(PhantomData))
}

/// A map in which `null` means a value that has nothing set (`"netDevices": {"eth0": null}`). Entries are inserted one by
/// one: to collect them would bring a sort of ten kilobytes for each kind of value.
pub fn null_values<'de, D, V>(d: D) -> Result<BTreeMap<Text<'de>, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Default + Deserialize<'de>,
{
    struct Values<V>(PhantomData<V>);

    impl<'de, V: Default + Deserialize<'de>> Visitor<'de> for Values<V> {
        type Value = BTreeMap<Text<'de>, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_none<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_some<D: Deserializer<'de>>(self, map: D) -> Result<Self::Value, D::Error> {
            map.deserialize_map(self)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<Text<'de>, Option<V>>()? {
                map.insert(key, value.unwrap_or_default());
            }
            Ok(map)
        }
    }

    d.deserialize_option(Values(PhantomData))
}
