//! What stands below the options of each command's help.

/// Of `barepod` itself: the codes of every command.
pub const EXIT_CODES: &str = "\
Exit codes (docs/exit-codes.md):
  0      done; run: the pod Succeeded
  1      not done (no such pod, say); run: the pod Failed
  2      a usage error or an invalid manifest
  124    run: --timeout ran out
  125    barepod itself had trouble
  other  run: the code of the container that failed; 128+n: signal n ended it

Environment:
  BAREPOD_ROOT  used as --root if that isn't given
  NO_COLOR      turns colours off

Examples:
  barepod run pod.yaml            run a pod and watch it; Ctrl-C ends it
  barepod get                     list pods that run or have ended
  barepod describe web            show all about one pod
  barepod stop web                end it gracefully";

pub const RUN_EXAMPLES: &str = "\
Exit codes (docs/exit-codes.md):
  0      the pod Succeeded
  1      the pod Failed, and no container has an exit code
  2      a usage error or an invalid manifest: nothing was started
  124    --timeout ran out
  125    barepod itself had trouble, or the pod runs already
  other  the code of the first main container in the manifest that failed, else
         of the failed init container; 128+n: signal n ended it
A container may exit with these codes too: --exit-code-file says whose it is.

Examples:
  barepod run pod.yaml
  barepod run -d web.yaml         in the background; `barepod stop web` ends it
  barepod run --rm -d job.yaml    likewise, and nothing stays of it
  barepod run --rm -it shell.yaml at the terminal of a container with `tty` and `stdin`
  barepod run -d web.yaml --wait --wait-timeout 1m
  barepod run job.yaml --fail-fast --timeout 10m --exit-code-file exit.json
  barepod run test.yaml --attach tests --quiet > result.xml
  barepod run web.yaml --config settings.yaml --volume data=/srv/web
  generate-manifest | barepod run - --name web2";

pub const GET_EXAMPLES: &str = "\
Examples:
  barepod get                     all pods
  barepod get -o wide             also requests and limits
  barepod get web -o yaml         the v1 Pod with its status
  barepod get web -n ops          pod ops/web
  barepod get web db              two pods
  barepod get -l app=web,tier!=db by their labels
  barepod get -f web.yaml         the pod of a manifest
  barepod get --sort-by .metadata.creationTimestamp -L app
  barepod get -o json | jq -r '.items[].metadata.name'
  barepod get web -o jsonpath='{.status.podIP}'
  barepod get -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'
  barepod get -o custom-columns=NAME:.metadata.name,IP:.status.podIP
  barepod get -w                  again, whenever a pod changes, until Ctrl-C";

pub const DESCRIBE_EXAMPLES: &str = "\
Examples:
  barepod describe web
  barepod describe web -n ops
  barepod describe -l app=web     all pods with that label
  barepod describe -A             all pods";

pub const TOP_EXAMPLES: &str = "\
Examples:
  barepod top                     all pods that run, over one second
  barepod top web db --containers
  barepod top -l app=web --sort-by memory
  barepod top web -o wide         also limits, disks and stalls (docs/top.md)
  barepod top -w --interval 2s    until Ctrl-C
  barepod top -o json | jq '.pods[] | {name, cpuMillicores}'";

pub const EVENTS_EXAMPLES: &str = "\
Examples:
  barepod events                  of all pods
  barepod events web
  barepod events web db -w        of two pods, and what happens from now on
  barepod events --types Warning
  barepod events web -o json | jq -r 'select(.type == \"Warning\").message'";

pub const LOGS_EXAMPLES: &str = "\
Examples:
  barepod logs web                what its first main container printed
  barepod logs web -c proxy --tail 20 --timestamps
  barepod logs -f web             until the pod has ended
  barepod logs web -c proxy -p    of the instance before the last restart
  barepod logs web --all-containers --prefix
  barepod logs -l app=web -f --prefix
  barepod logs job/pi             of one of its pods
  barepod logs job/pi --all-pods -c main
  barepod logs web --since-time 2026-11-30T12:00:00Z --limit-bytes 10000";

pub const EXEC_EXAMPLES: &str = "\
Exit codes: the program's; 128+n where signal n ended it; 126 where it can't be
executed, 127 where there is no such program; 1 no such container, or it isn't
running; 125 barepod's own trouble.

Examples:
  barepod exec web -- ls /etc
  barepod exec -it web -- sh      a shell at a terminal
  barepod exec -i web -c db -- psql < dump.sql";

pub const ATTACH_EXAMPLES: &str = "\
Exit codes: the container's; 128+n where signal n ended it, or this command; 0
where it was left by --detach-keys; 1 no such container, or it isn't running; 125
barepod's own trouble.

Examples:
  barepod attach web              what it prints from now on (Ctrl-C ends this alone)
  barepod attach -it web -c shell at its terminal, until Ctrl-P Ctrl-Q
  barepod attach -i web < more.txt";

pub const DEBUG_EXAMPLES: &str = "\
The container ends with the pod, and runs once. It stays in the pod's status when it has
ended; its log is there as any other (docs/debug.md).

Exit codes: while it is attached (-i), the container's; 128+n where signal n ended it, or
this command; 0 where it was left by --detach-keys. Otherwise 0 once the pod has it. 1 the
pod can't have it; 125 barepod's own trouble.

Examples:
  barepod debug -it web --image rootfs:/srv/tools -- sh
  barepod debug -it web --image rootfs:/srv/tools --target main -- sh   sees main's processes
  barepod debug web --image bundle:tcpdump --profile netadmin -c trace
  barepod logs -f web trace";

pub const CP_EXAMPLES: &str = "\
Exit codes: 1 it can't be copied, or not all of it; 2 a usage error; 128+n where
signal n has ended it.

Examples:
  barepod cp settings.yaml web:/etc/web/
  barepod cp web:/var/log/web ./logs
  barepod cp web:/srv/. backup        what is in /srv, not the folder
  barepod cp -c db dump.sql ops/web:/tmp";

pub const PORT_FORWARD_EXAMPLES: &str = "\
Exit codes: 0 Ctrl-C or SIGTERM has ended it; 1 the pod has ended, isn't there or
can't be reached, or a port of this box is in use.

Examples:
  barepod port-forward web 8080       localhost:8080 is the pod's port 8080
  barepod port-forward web 8080:80 :443
  barepod port-forward web 8080:http --address 0.0.0.0";

pub const STOP_EXAMPLES: &str = "\
Examples:
  barepod stop web                with its own grace period
  barepod stop web --grace-period 5
  barepod stop web db             both at once
  barepod stop web --wait=false   doesn't wait for its end
  barepod stop -f web.yaml        the pod of a manifest
  barepod stop -l app=web         all pods with that label
  barepod stop --all -n ops       all pods of a namespace
  barepod rm --force web          at once, and forget it";

pub const KILL_EXAMPLES: &str = "\
Whether a container that ends by the signal is started again is for the pod's
restart policy to say; `barepod stop` ends a pod.

Examples:
  barepod kill web                SIGKILL to all its main containers
  barepod kill web -c db -s TERM
  barepod kill -s HUP -f web.yaml
  barepod kill -s HUP -l app=web  all pods with that label that run
  barepod kill web -s RTMIN+3";

pub const RESTART_EXAMPLES: &str = "\
Exit codes:
  0      the new instances run
  1      one doesn't, the pod has ended, or nothing can be restarted now
  2      a usage error

Examples:
  barepod restart web             mains first, sidecars last, and up again
  barepod restart web -c db       one container alone
  barepod restart -f web.yaml --grace-period 5";

pub const WAIT_EXAMPLES: &str = "\
Exit codes:
  0      it is so, of all the pods
  1      it can't come true any more, or the time ran out
  2      a usage error

Examples:
  barepod wait web --for condition=Ready
  barepod wait pod/web pod/db --for=condition=Ready --timeout=2m
  barepod wait -l app=web --for=condition=Ready
  barepod wait -f job.yaml --for=phase=Succeeded --timeout=-1s
  barepod wait web --for=jsonpath='{.status.podIP}'
  barepod wait web --for=delete";

pub const RESIZE_EXAMPLES: &str = "\
Examples:
  barepod resize web --cpu 500m --memory 128Mi
  barepod resize web -c main --cpu 200m:1   request 200m, limit 1 cpu";

pub const RM_EXAMPLES: &str = "\
Examples:
  barepod rm web db
  barepod rm --filename web.yaml  the pod of a manifest
  barepod rm -l app=web           all pods with that label
  barepod rm --force web          end it first, at once";

pub const APPLY_EXAMPLES: &str = "\
Changed are images, whose containers are restarted, labels, annotations,
activeDeadlineSeconds (set, or less), requests and limits, and what is in
ConfigMaps and Secrets: files follow, variables do not. Anything else is refused with its path;
--replace stops such a pod and runs it anew.

Examples:
  barepod apply -f web.yaml
  barepod apply -f DIR --replace  all pods of a folder, whatever it takes
  barepod apply -f DIR --dry-run  what would be done with each
  barepod apply -f DIR --prune    also end what came from it and is gone
  barepod apply -f DIR --watch    apply it whenever it changes
  barepod apply -f web.yaml --config settings.yaml
  barepod diff -f web.yaml        what would be changed";

pub const DIFF_EXAMPLES: &str = "\
Labels, annotations and the spec are compared, defaults filled in on both sides;
what is in ConfigMaps and Secrets is not.

Exit codes:
  0      nothing is different
  1      something is, or no such pod is there
  2      a usage error, or the manifest is invalid
  125    barepod's own trouble

Examples:
  barepod diff -f web.yaml
  cat web.yaml | barepod diff -f -";

pub const EXPLAIN_EXAMPLES: &str = "\
Examples:
  barepod explain pod.spec.containers.livenessProbe
  barepod explain pod --recursive";

pub const SIMULATE_EXAMPLES: &str = "\
Examples:
  barepod simulate pod.yaml       if all goes well
  barepod simulate pod.yaml --script crash.yaml";

pub const COMPLETION_EXAMPLES: &str = "\
Examples:
  barepod completion bash > /etc/bash_completion.d/barepod
  barepod completion zsh > \"${fpath[1]}/_barepod\"
  barepod completion fish > ~/.config/fish/completions/barepod.fish";

pub const IMAGE_EXAMPLES: &str = "\
Pods bring their images themselves (imagePullPolicy). docs/images.md

Examples:
  barepod image pull docker.io/library/nginx:1.27
  barepod image ls
  barepod image verify            after a power cut, say
  barepod image prune --all       all that no pod uses now";

pub const IMAGE_PULL_EXAMPLES: &str = "\
Examples:
  barepod image pull nginx:1.27
  barepod image pull oci-archive:web.tar docker-archive:db.tar
  barepod image pull oci:layout:web --platform linux/arm64";

pub const IMAGE_PRUNE_EXAMPLES: &str = "\
What a pod uses stays, and so does what its image was before `apply` changed it. docs/images.md

Examples:
  barepod image prune
  barepod image prune --all           all that no pod uses now
  barepod image prune --until 7d      of these what nobody has used for a week
  barepod image prune --disk-use      if the disk is 85% full: from the one on that was unused for longest, down to 80%";

pub const IMAGE_REPAIR_EXAMPLES: &str = "\
Pods that run go on with the files that they have. docs/images.md

Examples:
  barepod image repair            all images
  barepod image repair nginx:1.27
  barepod image repair --auth-file auth.json registry.example/team/app:1.2";

pub const IMAGE_IMPORT_EXAMPLES: &str = "\
Pods find it by imagePullPolicy IfNotPresent or Never, without a registry. docs/images.md

Examples:
  barepod image import web.tar
  barepod image import layout/ registry.example.com/team/web:1.0";

pub const IMAGE_EXPORT_EXAMPLES: &str = "\
skopeo, podman load and `barepod image import` read what it writes. docs/images.md

Examples:
  barepod image export nginx:1.27 nginx.tar
  barepod image export nginx:1.27 layout/";

pub const IMAGE_LS_EXAMPLES: &str = "\
Examples:
  barepod image ls
  barepod image ls -o name
  barepod image ls nginx:1.27 -o json";

pub const GENERATE_SYSTEMD_EXAMPLES: &str = "\
Examples:
  barepod generate systemd /etc/barepod/shop.yaml > /etc/systemd/system/shop.service
  barepod generate systemd --user web.yaml > ~/.config/systemd/user/web.service
  barepod generate systemd job.yaml -- --volume data=/srv/data --timeout 1h
  systemctl daemon-reload && systemctl enable --now shop
docs/systemd.md explains each line.";

pub const INSTALL_EXAMPLES: &str = "\
The unit is what `barepod generate systemd` prints; options for `barepod run` stand behind --. docs/systemd.md

Examples:
  barepod install /etc/barepod/shop.yaml
  barepod install --user web.yaml -- --log-driver journald
  barepod install shop.yaml --name shop-staging --no-start";

pub const UNINSTALL_EXAMPLES: &str = "\
The pod's status and logs stay until `barepod rm`.

Examples:
  barepod uninstall shop
  barepod uninstall --user ops/web";
