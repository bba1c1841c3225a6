//! A field of a call or of an answer: its name, its form, whether it is always there.

use serde_json::Value;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, KnownFormat, Object, ObjectBuilder, Ref, RefBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Required};

use super::values::INPUT;
use crate::json::MAX_ITEMS;

/// A field.
#[derive(Clone)]
pub(super) struct Field {
    name: &'static str,
    about: &'static str,
    form: Form,
    presence: Presence,
    default: Option<Value>,
    example: Option<Value>,
}

/// What a field holds.
#[derive(Clone)]
pub(super) enum Form {
    /// A schema of the components, by its name.
    Named(String),
    /// A text with these limits.
    Text { min: Option<usize>, max: Option<usize>, pattern: Option<&'static str> },
    /// A day, as `2026-11-29`.
    Date,
    /// One of these texts.
    OneOf(Vec<&'static str>),
    /// A list of these texts; with commas in a query.
    AnyOf(Vec<&'static str>),
    /// A whole number.
    Count { min: u64, max: Option<u64> },
    /// True or false.
    Flag,
    /// A list of what is described so.
    List(Box<RefOr<Schema>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Always,
    /// Absent, or null, or there.
    Optional,
    /// Absent or there, never null.
    Sometimes,
    /// There, and null where there is nothing to tell.
    Nullable,
}

/// A field that a call needs, or that is in every answer.
pub(super) fn always(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { name, about, form, presence: Presence::Always, default: None, example: None }
}

/// A field that a call may leave out, or give as null.
pub(super) fn optional(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { presence: Presence::Optional, ..always(name, form, about) }
}

/// A field that is not in every answer.
pub(super) fn sometimes(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { presence: Presence::Sometimes, ..always(name, form, about) }
}

/// A field of an answer that is null where there is nothing to tell.
pub(super) fn nullable(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { presence: Presence::Nullable, ..always(name, form, about) }
}

/// A value that comes in.
pub(super) fn input(name: &str) -> Form {
    Form::Named(format!("{name}{INPUT}"))
}

/// A value that goes out.
pub(super) fn output(name: &str) -> Form {
    Form::Named(name.to_owned())
}

/// Any text.
pub(super) fn text() -> Form {
    Form::Text { min: None, max: None, pattern: None }
}

/// Seconds since 1970.
pub(super) fn time() -> Form {
    Form::Count { min: 0, max: None }
}

impl Field {
    /// What it is when it is left out.
    pub(super) fn default(self, value: impl Into<Value>) -> Self {
        Self { default: Some(value.into()), ..self }
    }

    /// What it may be in a query.
    pub(super) fn example(self, value: impl Into<Value>) -> Self {
        Self { example: Some(value.into()), ..self }
    }

    fn takes_null(&self) -> bool {
        matches!(self.presence, Presence::Optional | Presence::Nullable)
    }

    /// As a member of a JSON object.
    fn member(&self) -> RefOr<Schema> {
        let schema_type = |kind: Type| -> SchemaType {
            if self.takes_null() { [kind, Type::Null].into_iter().collect() } else { kind.into() }
        };
        let object = |kind| {
            let object = ObjectBuilder::new().schema_type(schema_type(kind));
            object.description(Some(self.about)).default(self.default.clone())
        };
        match &self.form {
            Form::Named(name) if self.takes_null() => AnyOfBuilder::new()
                .description(Some(self.about))
                .item(Ref::from_schema_name(name))
                .item(Object::with_type(Type::Null))
                .into(),
            Form::Named(name) => {
                let location = format!("#/components/schemas/{name}");
                let schema = RefBuilder::new().ref_location(location);
                schema.description(Some(self.about)).into()
            }
            Form::Text { min, max, pattern } => {
                let text = object(Type::String).min_length(*min).max_length(*max);
                text.pattern(*pattern).into()
            }
            Form::Date => {
                let format = SchemaFormat::KnownFormat(KnownFormat::Date);
                object(Type::String).format(Some(format)).into()
            }
            Form::OneOf(names) => {
                let mut values: Vec<Value> = names.iter().map(|name| (*name).into()).collect();
                values.extend(self.takes_null().then_some(Value::Null));
                object(Type::String).enum_values(Some(values)).into()
            }
            Form::AnyOf(names) => {
                let item =
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.clone()));
                let list = ArrayBuilder::new().items(item).min_items(Some(1));
                let list = list.max_items(Some(MAX_ITEMS)).schema_type(schema_type(Type::Array));
                list.description(Some(self.about)).into()
            }
            Form::Count { min, max } => {
                let count = object(Type::Integer).minimum(Some(*min));
                count.maximum(*max).into()
            }
            Form::Flag => object(Type::Boolean).into(),
            Form::List(item) => {
                let list = ArrayBuilder::new().items((**item).clone());
                list.schema_type(schema_type(Type::Array)).description(Some(self.about)).into()
            }
        }
    }

    /// As a parameter of the query or the path.
    pub(super) fn parameter(&self, place: ParameterIn) -> Parameter {
        // There is no null there.
        let never_null = Self { presence: Presence::Always, ..self.clone() };
        let required = self.presence == Presence::Always;
        let parameter = ParameterBuilder::new()
            .name(self.name)
            .parameter_in(place)
            .required(if required { Required::True } else { Required::False })
            .description(Some(self.about))
            .schema(Some(never_null.member()))
            .example(self.example.clone());
        match self.form {
            Form::AnyOf(_) => {
                parameter.style(Some(ParameterStyle::Form)).explode(Some(false)).build()
            }
            _ => parameter.build(),
        }
    }
}

/// A JSON object of these fields.
pub(super) fn object(fields: &[Field]) -> ObjectBuilder {
    fields.iter().fold(ObjectBuilder::new().schema_type(Type::Object), |object, field| {
        let object = object.property(field.name, field.member());
        match field.presence {
            Presence::Always | Presence::Nullable => object.required(field.name),
            Presence::Optional | Presence::Sometimes => object,
        }
    })
}
