//! Tests of whole gates: from texts and options to gates, to errors, and back to text.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use netready_core::testing::options_among;

use super::{Environment, GateRequest, Loaded, NoLinks, load};
use crate::requirement::Family::{self, V4, V6};
use crate::requirement::{
    AddressSpec, Clause, Destination, Item, LinkName, Links, Quorum, RouteSpec, RouteTo, Subject, Table,
};

mod files;
mod lookup;
mod options;
mod probes;
mod round_trip;

fn host(needed: usize, items: Vec<Item>) -> Clause {
    Clause { subject: Subject::Host { needed }, items, grace: None, if_present: None, recheck: None }
}

fn of(name: &str, items: Vec<Item>) -> Clause {
    Clause {
        subject: Subject::Links(Links {
            entries: vec![LinkName::Exact(name.to_owned())],
            exclude: Vec::new(),
            quorum: Quorum::Each,
            implied: false,
        }),
        items,
        grace: None,
        if_present: None,
        recheck: None,
    }
}

fn implied(mut clause: Clause) -> Clause {
    if let Subject::Links(links) = &mut clause.subject {
        links.implied = true;
    }
    clause
}

fn address(family: Family) -> Item {
    Item::Address(AddressSpec::Family(family))
}

fn route(destination: Destination) -> Item {
    Item::Route(RouteSpec { destination, table: Table::MAIN })
}

fn default_of(family: Family) -> Item {
    route(Destination::DefaultOf(family))
}

const EITHER: Item = Item::Address(AddressSpec::Either);

/// The request for a command line with these words. (`cli::options` has tests of its own.)
fn typed(args: &str) -> GateRequest {
    let (options, left_over) = options_among(args);
    GateRequest { gate: left_over.last().map(|gate| (*gate).to_owned()), options }
}

fn nowhere() -> Environment {
    Environment {
        uid: 1000,
        home: None,
        config_home: None,
        user_manager: false,
        root: PathBuf::from("/nonexistent"),
    }
}

fn load_typed(args: &str) -> Result<Loaded, String> {
    load(&typed(args), &nowhere(), &NoLinks).map_err(|error| error.to_string())
}

/// A file system with these files. A text that begins with `->` makes a symbolic link to that target.
fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Environment) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("->") {
            Some(target) => symlink(target, &path).unwrap(),
            None => fs::write(&path, text).unwrap(),
        }
    }
    let environment = Environment {
        uid: 1000,
        home: Some(PathBuf::from("/home/u")),
        config_home: None,
        user_manager: false,
        root: root.path().to_owned(),
    };
    (root, environment)
}
