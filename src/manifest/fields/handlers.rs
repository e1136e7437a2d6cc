//! Fates of probes, hooks and what both do.

use super::Fate::{Honoured, Partly};
use super::Table;

/// See [`super::TABLES`].
pub(super) const TABLES: &[Table] = &[
    ("Lifecycle", &[("postStart", Honoured), ("preStop", Honoured), ("stopSignal", Honoured)]),
    ("LifecycleHandler", &[("exec", Honoured), ("httpGet", Honoured), ("sleep", Honoured), ("tcpSocket", Honoured)]),
    (
        "Probe",
        &[
            ("exec", Honoured),
            ("failureThreshold", Honoured),
            ("grpc", Honoured),
            ("httpGet", Honoured),
            ("initialDelaySeconds", Honoured),
            ("periodSeconds", Honoured),
            ("successThreshold", Honoured),
            ("tcpSocket", Honoured),
            ("terminationGracePeriodSeconds", Honoured),
            ("timeoutSeconds", Honoured),
        ],
    ),
    ("ExecAction", &[("command", Honoured)]),
    ("GRPCAction", &[("mode", Honoured), ("port", Honoured), ("service", Honoured)]),
    (
        "HTTPGetAction",
        &[
            ("host", Honoured),
            ("httpHeaders", Honoured),
            ("path", Honoured),
            ("port", Honoured),
            ("protocol", Partly("HTTP2 in clear text only, and to the pod itself")),
            ("scheme", Honoured),
        ],
    ),
    ("HTTPHeader", &[("name", Honoured), ("value", Honoured)]),
    ("SleepAction", &[("seconds", Honoured)]),
    ("TCPSocketAction", &[("host", Honoured), ("port", Honoured)]),
];
