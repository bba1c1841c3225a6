use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::app::{App, Config, paths};

fn document() -> Value {
    serde_json::from_str(super::json()).unwrap()
}

/// The methods of every path that is documented, as OpenAPI writes them.
fn methods(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let paths = document["paths"].as_object().unwrap();
    let names = |item: &Value| item.as_object().unwrap().keys().cloned().collect();
    paths.iter().map(|(path, item)| (path.clone(), names(item))).collect()
}

#[tokio::test]
async fn the_document_has_every_path_and_method_of_the_server_and_no_other() {
    let documented = methods(&document());
    let served: BTreeSet<_> = paths().into_iter().map(str::to_owned).collect();
    assert_eq!(documented.keys().cloned().collect::<BTreeSet<_>>(), served);

    let lab = crate::testing::lab().await;
    let app = App::new(Arc::clone(&lab.service), Config::default()).into_service();
    for (path, methods) in documented {
        let at = path.replace("{key_id}", "00").replace("{file}", "LICENSE");
        let options = Request::options(at).header("host", "localhost").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(options).await.unwrap();
        let allow = response.headers()["allow"].to_str().unwrap().to_lowercase();
        let allowed: BTreeSet<_> = allow.split(", ").map(str::to_owned).collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// Every operation, by `METHOD path`.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().unwrap().iter();
            item.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

/// Whether `value` fits a schema of the document.
fn assert_fits(document: &Value, schema: &Value, value: &Value, what: &str) {
    let schema = json!({"components": document["components"], "allOf": [schema]});
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}");
}

/// The examples of a body or an answer, with the schema that they are of.
fn examples(content: &Value) -> Vec<(&Value, &Value)> {
    let Some(content) = content.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for media in content.values() {
        found.extend(media.get("example").map(|example| (&media["schema"], example)));
        let several = media.get("examples").and_then(Value::as_object);
        let several = several.into_iter().flat_map(|several| several.values());
        found.extend(several.map(|example| (&media["schema"], &example["value"])));
    }
    found
}

#[test]
fn every_example_fits_its_schema_and_every_call_has_one() {
    let document = document();
    let mut count = 0;
    let mut check = |content: &Value, what: &str| {
        let found = examples(content);
        for (schema, example) in &found {
            assert_fits(&document, schema, example, what);
        }
        count += found.len();
        found.len()
    };
    for (name, operation) in operations(&document) {
        if !operation["requestBody"].is_null() {
            let found = check(&operation["requestBody"]["content"], &name);
            assert_ne!(found, 0, "{name}");
        }
        check(&operation["responses"]["200"]["content"], &name);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if let Some(example) = parameter.get("example") {
                assert_fits(&document, &parameter["schema"], example, &name);
            }
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        assert_ne!(check(&response["content"], name), 0, "{name}");
    }
    assert!(count > 60, "{count}");
}

#[test]
fn an_example_that_does_not_fit_is_found() {
    let document = document();
    let verify = &document["paths"]["/api/signature/verify"]["post"];
    let media = &verify["requestBody"]["content"]["application/json"];
    let right = &media["examples"]["right"]["value"];
    assert_fits(&document, &media["schema"], right, "right");
    let mut wrong = right.clone();
    wrong["pk"] = json!("00");
    let found = std::panic::catch_unwind(|| assert_fits(&document, &media["schema"], &wrong, ""));
    assert!(found.is_err());
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let operations = operations(&document);
    let names: BTreeSet<_> =
        operations.iter().map(|(_, it)| it["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), operations.len());
    assert_eq!(document["openapi"], "3.1.0");
}
