//! The import cycles that there are, with the reason of each. The list may only become shorter: tests/tidy/cycles.rs fails where
//! a cycle isn't here, has other files, or is no more.

/// Files that use each other in a circle, by the module of the top level, without `.rs`, and why they do.
pub const CYCLES: &[(&str, &[&str], &str)] = &[
    (
        "manifest",
        &["manifest/de", "manifest/de/access"],
        "serde's deserializer hands out accesses that go on with it: the two halves of one trait",
    ),
    (
        "manifest",
        &[
            "manifest/fields",
            "manifest/fields/container",
            "manifest/fields/handlers",
            "manifest/fields/job",
            "manifest/fields/metadata",
            "manifest/fields/pod",
            "manifest/fields/security",
            "manifest/fields/volume",
        ],
        "the parts of one table of fields, which is too long for a file; its row type is in the parent",
    ),
    (
        "report",
        &["report/describe/containers", "report/describe/mod", "report/describe/volumes"],
        "the page in `mod` is made of its parts, which write with its line functions",
    ),
    (
        "simulate",
        &["simulate/mod", "simulate/script", "simulate/timeline", "simulate/timeline/show"],
        "script and timeline are parts of a simulation; their errors and entries are the parent's types",
    ),
    (
        "supervisor",
        &[
            "supervisor/execs",
            "supervisor/handlers",
            "supervisor/mod",
            "supervisor/notice",
            "supervisor/persist",
            "supervisor/sandbox",
            "supervisor/storage",
            "supervisor/unwatched",
        ],
        "all are `impl Supervisor` on the struct in `mod`, whose fields have these files' types",
    ),
];
