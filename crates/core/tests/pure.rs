//! The core decides and does nothing else. What it may use of Rust's own library is what needs no operating system:
//! the crates `core` and `alloc`. So no path of it begins with `std::`.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test reads the sources; the core reads nothing")]

use std::fs;
use std::path::Path;

#[test]
fn nothing_of_the_operating_system_is_named() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |path, text| {
        seen += 1;
        // A module of tests is the last thing in its file.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if ["std::", "tokio::", "nix::", "libc::", "println!", "print!", "glob::glob("]
                .iter()
                .any(|word| code.contains(word))
            {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    });
    assert!(seen > 40, "only {seen} files were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn look(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            if name != "tests" {
                look(&path, see);
            }
        } else if name.ends_with(".rs") && !matches!(name.as_str(), "tests.rs" | "testing.rs" | "examples.rs")
        {
            see(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
