//! Where metrics come from: what the Agent needs to know to add the tags of a container or pod (origin
//! detection). Fields and their order are those of Datadog's own clients.

use std::sync::OnceLock;

use super::container;
use crate::plan::Variables;
use crate::sinks::wire::push_all;

/// Longest external data, in bytes. It is short: three names, none longer than a label of DNS.
const EXTERNAL_MAX: usize = 256;

/// What is told of the origin.
#[derive(Debug, Default)]
pub struct Origin {
    /// Whether the id of the container is looked up. Not where the entity is named: the Agent goes by
    /// that, whatever else it is told.
    wants_container: bool,
    /// `DD_EXTERNAL_ENV`, which the admission controller of a cluster sets; may be empty.
    external: String,
    /// How many tags the Agent is to add.
    cardinality: Option<&'static str>,
    fields: OnceLock<String>,
}

impl Origin {
    /// From the variables; nothing is looked up.
    pub fn of(variables: &Variables) -> Self {
        let wanted = !variables.get("DD_ORIGIN_DETECTION_ENABLED").is_some_and(is_no);
        let external = variables.get("DD_EXTERNAL_ENV").filter(|_| wanted).unwrap_or_default();
        Self {
            wants_container: wanted && variables.get("DD_ENTITY_ID").is_none(),
            external: cleaned(external),
            cardinality: ["DD_CARDINALITY", "DATADOG_CARDINALITY"]
                .into_iter()
                .find_map(|name| variables.get(name).and_then(cardinality)),
            fields: OnceLock::new(),
        }
    }

    /// `|c:…|e:…|card:…`, as far as there is something to tell. Looks for the container when it is first
    /// asked: to be asked once the job runs.
    pub fn fields(&self) -> &str {
        self.fields.get_or_init(|| {
            let id = if self.wants_container { container::id() } else { None };
            let mut fields = String::new();
            let told = [
                ("|c:", id.as_deref().unwrap_or_default()),
                ("|e:", &self.external),
                ("|card:", self.cardinality.unwrap_or_default()),
            ];
            for (field, value) in told.into_iter().filter(|(_, value)| !value.is_empty()) {
                push_all(&mut fields, &[field, value]);
            }
            fields
        })
    }
}

/// What the clients in Go and Python between them take for a no.
fn is_no(value: &str) -> bool {
    ["false", "0", "f", "no", "n", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

fn cardinality(value: &str) -> Option<&'static str> {
    ["none", "low", "orchestrator", "high"].into_iter().find(|known| value.eq_ignore_ascii_case(known))
}

/// External data without what would end the field or the line, as `it-false,cn-app,pu-…`. Too long for
/// what it is said to be, it is nothing at all: cut, it would name something else.
fn cleaned(external: &str) -> String {
    let stands = |c: &char| *c == ' ' || (c.is_ascii_graphic() && *c != '|');
    if external.len() > EXTERNAL_MAX { String::new() } else { external.chars().filter(stands).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(variables: &[(&str, &str)]) -> Origin {
        Origin::of(&Variables(
            variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ))
    }

    /// The fields on a host where no container is looked for.
    fn fields(variables: &[(&str, &str)]) -> String {
        let mut origin = origin(variables);
        origin.wants_container = false;
        origin.fields().to_owned()
    }

    #[test]
    fn without_a_container_and_variables_there_is_nothing_to_tell() {
        assert_eq!(fields(&[]), "");
        assert_eq!(fields(&[("DD_CARDINALITY", "some"), ("DD_EXTERNAL_ENV", "|\n")]), "");
    }

    // datadog-go appends them in this order to metrics, events and service checks.
    #[test]
    fn external_data_and_cardinality_stand_in_this_order() {
        let data = "it-false,cn-app,pu-75a2b6d5-3949-4afb-ad0d-92ff0674e759";
        assert_eq!(
            fields(&[("DD_CARDINALITY", "HIGH"), ("DD_EXTERNAL_ENV", data), ("DATADOG_CARDINALITY", "low")]),
            format!("|e:{data}|card:high")
        );
        assert_eq!(fields(&[("DD_CARDINALITY", "x"), ("DATADOG_CARDINALITY", "low")]), "|card:low");
    }

    #[test]
    fn external_data_forges_nothing() {
        let forged = "it-false|#a:b\nx:1|c\0é\u{85}";
        assert_eq!(fields(&[("DD_EXTERNAL_ENV", forged)]), "|e:it-false#a:bx:1c");
        assert_eq!(fields(&[("DD_EXTERNAL_ENV", &"x".repeat(257))]), "");
    }

    #[test]
    fn a_container_is_looked_for_unless_that_is_not_wanted_or_an_entity_is_named() {
        assert!(origin(&[]).wants_container);
        assert!(origin(&[("DD_ORIGIN_DETECTION_ENABLED", "true")]).wants_container);
        assert!(origin(&[("DD_ORIGIN_DETECTION_ENABLED", "maybe")]).wants_container);
        assert!(!origin(&[("DD_ENTITY_ID", "75a2b6d5-3949-4afb-ad0d-92ff0674e759")]).wants_container);
        for no in ["false", "False", "0", "no", "OFF"] {
            let variables = [("DD_ORIGIN_DETECTION_ENABLED", no), ("DD_EXTERNAL_ENV", "it-false")];
            assert!(!origin(&variables).wants_container, "{no}");
            assert_eq!(fields(&variables), "", "{no}");
        }
    }
}
