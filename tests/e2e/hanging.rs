//! File systems that don't answer (R5.16): whoever looks at them is stuck there, as behind an NFS server that has gone.
//! Here it is FUSE whose daemon has better things to do.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, main, own_mounts, wait};

/// A mount point on which nobody answers, for this thread and what it starts.
struct Silent {
    folder: PathBuf,
    device: File,
}

impl Silent {
    /// `None`, said aloud, where the kernel has no FUSE.
    fn mount(folder: &Path) -> Option<Self> {
        let Ok(mut device) = OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
            crate::skips::skip("there is no /dev/fuse");
            return None;
        };
        fs::create_dir_all(folder).unwrap();
        // This thread's host from now on: nobody else gets stuck.
        own_mounts();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("silent"), folder, Some("fuse"), MsFlags::empty(), Some(options.as_str())).unwrap();
        // The first request (FUSE_INIT) is answered, or the others would not even be sent.
        let mut request = [0; 1 << 14];
        assert!(device.read(&mut request).unwrap() > 16);
        let mut answer = [0; 80];
        answer[..4].copy_from_slice(&80_u32.to_ne_bytes());
        answer[8..16].copy_from_slice(&request[8..16]);
        for (at, number) in [(16, 7_u32), (20, 31), (24, 4096), (36, 4096), (40, 1)] {
            answer[at..at + 4].copy_from_slice(&number.to_ne_bytes());
        }
        device.write_all(&answer).unwrap();
        Some(Self { folder: folder.to_owned(), device })
    }

    /// Waits until somebody has asked, and waits for the answer now.
    #[track_caller]
    fn wait_until_asked(&self) {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        wait("somebody to ask", || poll(&mut [PollFd::new(&self.device, PollFlags::IN)], Some(&at_once)).unwrap() > 0);
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // With the device closed, who is stuck gets an error.
        let ended = umount2(&self.folder, MntFlags::MNT_DETACH);
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

/// R5.16: an image that can't be looked at holds up neither the others nor the pod's end; before it all goes on.
#[test]
fn an_image_on_a_file_system_that_does_not_answer() {
    for (name, image) in [("silent-rootfs", "rootfs:"), ("silent-bundle", "bundle:")] {
        let Some(case) = Case::new(name) else { return };
        let folder = case.dir().join("outside");
        let Some(silent) = Silent::mount(&folder.join("silent")) else { return };
        // In a volume of the pod it might come later: nobody looks before it is its turn.
        let pod = case
            .pod()
            .spec(json!({"terminationGracePeriodSeconds": 3600,
                "volumes": [{"name": "v", "hostPath": {"path": folder}}]}))
            .sidecar("web", "[ -e /t/again ] && exec serve web; : > /t/again; hold go; exit 1")
            .container(main("stuck", "say never", json!({"image": format!("{image}{}", silent.folder.display())})));
        let mut run = case.start(&pod);
        silent.wait_until_asked();
        assert_eq!(case.container("stuck")["state"]["waiting"]["reason"], "PodInitializing");
        // Its supervisor is not stuck.
        case.release("go");
        case.wait_for("web up");
        run.signal(Signal::TERM);
        assert_eq!(run.end(), 1);
        assert_eq!(case.phase(), "Failed");
        assert!(!case.said("never"));
        assert_eq!(case.messages_of("stuck", "Failed"), [""; 0], "what was ended is no failure");
        drop(silent);
    }
}

/// R5.16: nor does a seccomp profile of the container's own.
#[test]
fn a_profile_on_a_file_system_that_does_not_answer() {
    let Some(case) = Case::new("silent-profile") else { return };
    let Some(silent) = Silent::mount(&case.dir().join("silent")) else { return };
    let profile = json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"}});
    let pod = case
        .pod()
        .spec(json!({"terminationGracePeriodSeconds": 3600}))
        .sidecar("web", "exec serve web")
        .container(main("stuck", "say never", json!({"securityContext": profile})));
    let folder = silent.folder.display().to_string();
    let mut run = case.start_with(&pod, &["--seccomp-profile-root", &folder]);
    silent.wait_until_asked();
    case.wait_for("web up");
    assert!(case.barepod(&["stop", case.name()]).status.success());
    assert_eq!(run.end(), 1);
    assert!(case.said("web term") && !case.said("never"));
    drop(silent);
}

/// R5.16: nor does a volume, without which there is no sandbox. Commands are heard meanwhile.
#[test]
fn a_volume_on_a_file_system_that_does_not_answer() {
    let Some(case) = Case::new("silent-volume") else { return };
    let Some(silent) = Silent::mount(&case.dir().join("silent")) else { return };
    let volumes = json!({"terminationGracePeriodSeconds": 3600,
        "volumes": [{"name": "v", "hostPath": {"path": silent.folder}}]});
    let mut run = case.start(&case.pod().spec(volumes).main("main", "say never"));
    silent.wait_until_asked();
    // Whoever asks may do so before the first status is written.
    wait("the first status", || case.phase() == "Pending");
    assert_eq!(case.condition("PodReadyToStartContainers")["status"], "False");
    assert!(case.barepod(&["stop", case.name()]).status.success());
    assert_eq!(run.end(), 1);
    assert_eq!(case.phase(), "Failed");
    assert!(!case.said("never"));
    assert_eq!(case.messages("FailedMount"), [""; 0]);
    drop(silent);
}
