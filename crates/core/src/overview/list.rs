//! The gates that a user can name, and where each of them comes from.

use core::fmt::Write;

use serde_json::{Value, json};

use crate::escape::escape;
use crate::report::{Paint, Tone};

/// The folder that a gate file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The folder of the user, `~/.config/netready`.
    User,
    /// The folder of the host's administrator, `/etc/netready`.
    System,
    /// The folder for the present boot, `/run/netready`.
    Runtime,
    /// The folder for files that were installed by hand, `/usr/local/lib/netready`.
    Local,
    /// The folder for files from a package, `/usr/lib/netready`.
    Packaged,
    /// The gate is part of the program.
    BuiltIn,
}

impl Origin {
    /// Returns the word for the folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::User => "user",
            Origin::System => "system",
            Origin::Runtime => "runtime",
            Origin::Local => "local",
            Origin::Packaged => "packaged",
            Origin::BuiltIn => "built-in",
        }
    }
}

/// One text of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSource {
    /// The folder of the gate file, or `BuiltIn`.
    pub origin: Origin,
    /// The path of the file. `None` for a built-in text.
    pub path: Option<String>,
    /// Whether the file is a link to /dev/null, so that the gate is masked.
    pub is_mask: bool,
}

/// A gate that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGate {
    /// The name of the gate.
    pub name: String,
    /// The texts of the gate. The first one is used and hides the others. The list is empty if only drop-ins exist.
    pub sources: Vec<GateSource>,
    /// The drop-ins, in the order in which they are read.
    pub drop_ins: Vec<String>,
    /// The problems of the gate, one line each. They are safe to print.
    pub errors: Vec<String>,
}

impl ListedGate {
    fn is_masked(&self) -> bool {
        self.sources.first().is_some_and(|source| source.is_mask)
    }

    /// Returns one word about whether the gate can be used.
    fn state(&self) -> &'static str {
        match self.sources.first() {
            Some(source) if source.is_mask => "masked",
            Some(_) if self.errors.is_empty() => "ok",
            Some(_) | None => "error",
        }
    }
}

/// All gates that a user can name, and the folders that could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Every gate that can be named, sorted by name.
    pub gates: Vec<ListedGate>,
    /// Each folder that could not be read, with the error.
    pub unreadable: Vec<(String, String)>,
}

/// Writes a line for each gate. Indented lines below it have the rest.
pub fn list_table(listing: &Listing, paint: Paint) -> String {
    let names: Vec<String> = listing.gates.iter().map(|gate| escape(&gate.name).into_owned()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (gate, name) in listing.gates.iter().zip(&names) {
        let pad = " ".repeat(width - name.chars().count());
        let mut sources = gate.sources.iter();
        let first = sources.next().map_or_else(|| "-".to_owned(), place);
        let _ = writeln!(text, "{}", format!("{name}{pad}  {first}").trim_end());
        let mut line = |line: &str| {
            let _ = writeln!(text, "{}  {line}", " ".repeat(width));
        };
        if gate.is_masked() {
            line(&format!("{}: this gate cannot be used", paint(Tone::Bad, "masked")));
        }
        for hidden in sources {
            line(&format!("hides {}", place(hidden).trim_end()));
        }
        for drop_in in &gate.drop_ins {
            line(&format!("with {}", escape(drop_in)));
        }
        for error in gate.errors.iter().filter(|_| !gate.is_masked()) {
            line(&format!("{}: {}", paint(Tone::Bad, "error"), escape(error)));
        }
    }
    for (path, error) in &listing.unreadable {
        let _ = writeln!(text, "{}: cannot be listed: {}", escape(path), escape(error));
    }
    text
}

fn place(source: &GateSource) -> String {
    let path = source.path.as_deref().map(escape).unwrap_or_default();
    format!("{:8}  {path}", source.origin.as_str())
}

/// Makes the object that `docs/schema/list.json` describes.
pub fn list_json(listing: &Listing) -> Value {
    let source = |source: &GateSource| json!({ "origin": source.origin.as_str(), "path": source.path });
    let gates = listing.gates.iter().map(|gate| {
        json!({
            "gate": gate.name,
            "state": gate.state(),
            "origin": gate.sources.first().map(|source| source.origin.as_str()),
            "path": gate.sources.first().and_then(|source| source.path.as_ref()),
            "hides": gate.sources.iter().skip(1).map(source).collect::<Vec<_>>(),
            "drop-ins": gate.drop_ins,
            "errors": if gate.is_masked() { &[] } else { gate.errors.as_slice() },
        })
    });
    let unreadable = listing.unreadable.iter().map(|(path, error)| json!({ "path": path, "error": error }));
    json!({ "gates": gates.collect::<Vec<_>>(), "unreadable": unreadable.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paint_none;

    fn source(origin: Origin, path: &str) -> GateSource {
        GateSource { origin, path: (!path.is_empty()).then(|| path.to_owned()), is_mask: false }
    }

    fn gate(name: &str, sources: Vec<GateSource>) -> ListedGate {
        ListedGate { name: name.to_owned(), sources, drop_ins: Vec::new(), errors: Vec::new() }
    }

    fn listing() -> Listing {
        let etc = |name: &str| source(Origin::System, &format!("/etc/netready/{name}.toml"));
        let mask = GateSource { is_mask: true, ..etc("off") };
        let gates = vec![
            ListedGate {
                errors: vec!["/etc/netready/broken.toml:3: unknown key \u{1b}[2J".to_owned()],
                ..gate("broken", vec![etc("broken")])
            },
            ListedGate {
                drop_ins: vec!["/etc/netready/default.toml.d/50-lab.toml".to_owned()],
                ..gate(
                    "default",
                    vec![
                        source(Origin::User, "/home/me/.config/netready/default.toml"),
                        etc("default"),
                        source(Origin::BuiltIn, ""),
                    ],
                )
            },
            ListedGate { errors: vec!["gate lone: no such gate".to_owned()], ..gate("lone", vec![]) },
            ListedGate { errors: vec!["is masked".to_owned()], ..gate("off", vec![mask]) },
            gate("podman", vec![source(Origin::BuiltIn, "")]),
        ];
        Listing { gates, unreadable: vec![("/run/netready".to_owned(), "Permission denied".to_owned())] }
    }

    #[test]
    fn each_gate_says_where_it_comes_from_and_what_it_hides() {
        let expected = r"broken   system    /etc/netready/broken.toml
         error: /etc/netready/broken.toml:3: unknown key \x1b[2J
default  user      /home/me/.config/netready/default.toml
         hides system    /etc/netready/default.toml
         hides built-in
         with /etc/netready/default.toml.d/50-lab.toml
lone     -
         error: gate lone: no such gate
off      system    /etc/netready/off.toml
         masked: this gate cannot be used
podman   built-in
/run/netready: cannot be listed: Permission denied
";
        assert_eq!(list_table(&listing(), paint_none), expected);
        assert_eq!(list_table(&Listing::default(), paint_none), "");
    }

    #[test]
    fn the_json_list_has_the_same_gates_as_the_table() {
        let json = list_json(&listing());
        let rows = json["gates"].as_array().unwrap().iter();
        let rows: Vec<String> = rows
            .map(|gate| {
                format!(
                    "{} {} {} {} {}",
                    gate["gate"], gate["state"], gate["origin"], gate["hides"], gate["errors"]
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                r#""broken" "error" "system" [] ["/etc/netready/broken.toml:3: unknown key \u001b[2J"]"#,
                r#""default" "ok" "user" [{"origin":"system","path":"/etc/netready/default.toml"},{"origin":"built-in","path":null}] []"#,
                r#""lone" "error" null [] ["gate lone: no such gate"]"#,
                r#""off" "masked" "system" [] []"#,
                r#""podman" "ok" "built-in" [] []"#,
            ]
        );
        assert_eq!(json["unreadable"][0]["path"], "/run/netready");
    }
}
