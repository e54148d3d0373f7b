//! The policy file's JSON Schema, by which an editor completes keys.
//!
//! It follows from the types that the file is read into; `make bless` writes it anew. What only a check knows, such as
//! steps that leave a gap, is not in it. Only the command links it.

/// The schema of the policy file.
pub const SCHEMA: &str = include_str!("../../policy.schema.json");

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use schemars::Schema;
    use schemars::transform::transform_subschemas;
    use serde_json::{Map, Value, json};

    use super::super::file::File;
    use super::super::{BUILT_IN, Policy};
    use super::SCHEMA;
    use crate::platform;

    /// Generated from the types, in the words of the file.
    fn generated() -> Value {
        let mut schema = schemars::schema_for!(File);
        in_the_files_words(&mut schema);
        let mut schema = schema.to_value();
        for table in platform::provision_tables() {
            add_table(&mut schema, table.key, (table.schema)());
        }
        schema["title"] = json!("stepladder policy");
        schema["description"] =
            json!("Which alarm changes which deployment, how far, and which alarm undoes it.");
        renamed(&schema)
    }

    /// Adds the table of one platform, and the definitions that it needs.
    fn add_table(file: &mut Value, key: &str, mut table: Schema) {
        in_the_files_words(&mut table);
        let Value::Object(mut table) = table.to_value() else { panic!("`{key}` has no schema") };
        let Some(Value::Object(mut definitions)) = table.remove("$defs") else { panic!("`{key}` is flat") };
        let (Some(title), Some(_)) = (table.remove("title"), table.remove("$schema")) else {
            panic!("`{key}` is no schema of its own")
        };
        let name = title.as_str().unwrap().to_owned();
        let description = table["description"].clone();
        file["properties"][key] = json!({ "$ref": format!("#/$defs/{name}"), "description": description });
        definitions.insert(name, Value::Object(table));
        file["$defs"].as_object_mut().unwrap().extend(definitions);
    }

    /// TOML has no null, so a key that may be left out is just that; and no widths of numbers.
    fn in_the_files_words(schema: &mut Schema) {
        transform_subschemas(&mut in_the_files_words, schema);
        schema.remove("format");
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                schema.insert("type".to_owned(), one);
            }
        }
        if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
            any.retain(|one| one["type"] != "null");
            if let [Value::Object(one)] = any.as_slice() {
                let one = one.clone();
                schema.remove("anyOf");
                schema.ensure_object().extend(one);
            }
        }
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }

    /// Definitions have the names of tables, not of types: `RuleText` is `rule`.
    fn renamed(schema: &Value) -> Value {
        let Value::Object(definitions) = &schema["$defs"] else { return schema.clone() };
        let mut text = schema.to_string();
        for name in definitions.keys() {
            let plain = name.strip_suffix("Text").unwrap_or(name).to_lowercase();
            text = text.replace(&format!("\"{name}\":"), &format!("\"{plain}\":"));
            text = text.replace(&format!("\"#/$defs/{name}\""), &format!("\"#/$defs/{plain}\""));
        }
        serde_json::from_str(&text).unwrap()
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn it_follows_from_the_types() {
        let generated = format!("{:#}\n", generated());
        #[expect(
            clippy::disallowed_methods,
            reason = "`make bless` sets it for every test that accepts something"
        )]
        let blessed = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
        if blessed {
            fs::write(root().join("policy.schema.json"), &generated).unwrap();
            return;
        }
        assert!(generated == SCHEMA, "`policy.schema.json` does not match the types: `make bless` writes it");
    }

    #[test]
    fn it_forbids_what_the_reader_refuses() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        each_table(&schema, &mut |name, table| {
            assert_eq!(table["additionalProperties"], false, "{name}");
            for (key, value) in table["properties"].as_object().unwrap() {
                assert!(value["description"].is_string(), "{name}: `{key}` has no description");
            }
        });
        assert_eq!(schema["$defs"]["rule"]["required"], json!(["alarm", "axis"]));
        for wrong in [
            "mod = \"act\"",
            "mode = \"observed\"",
            "[[rule]]\nalarm = \"a\"",
            "[[rule]]\nalarm = 1\naxis = \"shape\"",
            "[[rule]]\nalarm = \"a\"\naxis = \"shape\"\nstep = 1.5",
            "[[rule]]\nalarm = \"a\"\naxis = \"instances\"\nsteps = [{ over = 0, add = 1 }]",
            "[defaults]\ninstances = { min = 1 }",
            "[defaults]\ncooldown = { up = 5 }",
            "[[schedule]]\ncron = \"0 8 * * *\"\nmin = 2",
        ] {
            assert!(problem(wrong).is_some(), "{wrong}");
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }

    fn each_table(schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        let definitions = schema["$defs"].as_object().unwrap();
        visit("the file", schema);
        definitions
            .iter()
            .filter(|(_, known)| known["type"] == "object")
            .for_each(|(name, known)| visit(name, known));
    }

    #[test]
    fn it_takes_every_policy_that_is_shown() {
        let readme = fs::read_to_string(root().join("README.md")).unwrap();
        let blocks: Vec<&str> =
            readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.iter().any(|block| block.contains("[[rule]]")), "README.md shows no whole policy");
        for policy in blocks.into_iter().chain([BUILT_IN, ""]) {
            assert_eq!(problem(policy), None, "{policy}");
        }
        for path in policies() {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(problem(&text), None, "{}", path.display());
            assert!(Policy::parse(&text).is_ok(), "{}", path.display());
        }
    }

    /// Every policy file below `events/`.
    fn policies() -> Vec<PathBuf> {
        let list =
            |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        let files = list(&root().join("events")).into_iter().flat_map(|dir| list(&dir));
        files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect()
    }

    fn problem(policy: &str) -> Option<String> {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let policy: Value = toml::from_str(policy).unwrap();
        wrong(&schema, &schema, &policy, "")
    }

    /// What is wrong with a value, by those words of JSON Schema that the schema is written in.
    fn wrong(whole: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
        if let Some(name) = schema["$ref"].as_str() {
            return wrong(whole, whole.pointer(&name[1..]).expect("what a `$ref` names"), value, at);
        }
        for several in ["anyOf", "oneOf"] {
            if let Some(several) = schema[several].as_array() {
                let fits = several.iter().any(|one| wrong(whole, one, value, at).is_none());
                return (!fits).then(|| format!("{at}: {value} is none of several"));
            }
        }
        let fits = match schema["type"].as_str().expect("a type") {
            "object" => return wrong_table(whole, schema, value, at),
            "array" => {
                let Some(items) = value.as_array() else { return Some(format!("{at}: {value}")) };
                return items.iter().find_map(|item| wrong(whole, &schema["items"], item, at));
            }
            "string" => value.is_string(),
            "integer" => {
                value.as_i64().is_some_and(|it| it >= schema["minimum"].as_i64().unwrap_or(i64::MIN))
            }
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            other => panic!("the schema has a type `{other}` that is not checked here"),
        };
        let word = schema["enum"].as_array().is_none_or(|words| words.contains(value))
            && schema.get("const").is_none_or(|word| word == value);
        (!fits || !word).then(|| format!("{at}: {value}"))
    }

    fn wrong_table(whole: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let Some(table) = value.as_object() else { return Some(format!("{at}: {value} is no table")) };
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let left_out = required.clone().find(|key| !table.contains_key(*key));
        left_out.map(|key| format!("{at}: `{key}` is left out")).or_else(|| {
            table.iter().find_map(|(key, value)| match known.get(key) {
                None => Some(format!("{at}: `{key}` is unknown")),
                Some(schema) => wrong(whole, schema, value, &format!("{at}.{key}")),
            })
        })
    }
}
