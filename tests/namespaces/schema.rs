//! Compares the output of `--json` with the schemas in `docs/schema`. The other tests compare each of their
//! `check`s too.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::UP0;
use crate::netns;

/// Panics if the value differs from `docs/schema/NAME.json`, or has a field that the schema does not name.
#[track_caller]
pub fn assert_valid(name: &str, value: &Value) {
    let schema = schema(name);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "docs/schema/{name}.json: {}\n{value:#}", errors.join("\n"));
}

/// Returns the schema in a strict form. Readers must tolerate unknown fields, but netready must not print them.
fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut schema = serde_json::from_str(&text).unwrap();
    forbid_unknown(&mut schema);
    schema
}

fn forbid_unknown(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        if schema.contains_key("properties") {
            schema.entry("additionalProperties").or_insert(json!(false));
        }
        schema.values_mut().for_each(forbid_unknown);
    }
}

#[track_caller]
fn assert_lines_valid(name: &str, stdout: &str) {
    assert!(!stdout.is_empty());
    for line in stdout.lines() {
        assert_valid(name, &serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    }
}

#[test]
fn schemas_are_schemas_and_refuse_what_is_wrong() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let schema = schema(&name);
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["$id"], format!("urn:netready:schema:{name}:1"));
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        assert!(!validator.is_valid(&json!({})), "{name}: an empty object is accepted");
        assert!(!validator.is_valid(&json!({ "another": 1 })), "{name}: an unknown field is accepted");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
#[ignore = "needs a network namespace"]
fn every_command_prints_what_its_schema_describes() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0"));
    let evidence = ns.check(&["-r", "default", "-a", "192.0.2.1"]);
    assert_eq!(evidence.json["requirements"][1]["evidence"]["gateway"], "192.0.2.254", "{:#}", evidence.json);
    assert_eq!(evidence.json["state"], "ready");
    assert_eq!(ns.check(&["-a", "192.0.2.9"]).json["state"], "waiting");
    let wait = ns.output(&["wait", "--json", "--timeout", "10ms", "-a", "192.0.2.9"]);
    assert_lines_valid("verdict", &wait.stdout);
    assert!(wait.stdout.contains(r#""state":"gave-up""#), "{}", wait.stdout);
    assert_lines_valid("verdict", &ns.output(&["wait", "--json", "-a", "192.0.2.1"]).stdout);
    let monitor = ns.monitor(&["--json", "-a", "192.0.2.1"]);
    monitor.expect_stdout_where("ready", |line| line.contains(r#""state":"ready""#));
    assert_lines_valid("verdict", &monitor.stdout());
    assert_lines_valid("error", &ns.output(&["check", "--json", "nonesuch"]).stdout);
    assert_lines_valid("error", &ns.output(&["wait", "--json", "-a", "x"]).stdout);
    assert_lines_valid("status", &ns.output(&["status", "--json"]).stdout);
    assert_lines_valid("list", &ns.output(&["list", "--json"]).stdout);
    assert_lines_valid("doctor", &ns.output(&["doctor", "--json"]).stdout);
}
