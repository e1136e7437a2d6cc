//! What stands below the options of each command's help.

/// Of `barepod` itself: the codes of every command.
pub const EXIT_CODES: &str = "\
Exit codes (docs/exit-codes.md):
  0      done; of run: the pod Succeeded
  1      not done, such as no such pod; of run: the pod Failed
  2      a usage error or an invalid manifest
  124    run --timeout ran out
  125    barepod's own trouble
  other  of run: the container's that failed; 128+n where signal n ended it

Environment:
  BAREPOD_ROOT  is --root where that isn't given
  NO_COLOR      takes the colours away

Examples:
  barepod run pod.yaml            run a pod and watch it; Ctrl-C ends it
  barepod get                     what runs, and what has ended
  barepod describe web            all about one pod
  barepod stop web                end it gracefully";

pub const RUN_EXAMPLES: &str = "\
Exit codes (docs/exit-codes.md):
  0      the pod Succeeded
  1      it Failed, and no container has a code to give
  2      a usage error or an invalid manifest: nothing was started
  124    --timeout ran out
  125    barepod's own trouble; the pod runs already
  other  of the first main container that failed, else of the failed init
         container; 128+n where signal n ended it
A container may exit with these, too: --exit-code-file says whose it is.

Examples:
  barepod run pod.yaml
  barepod run job.yaml --fail-fast --timeout 10m --exit-code-file exit.json
  barepod run test.yaml --attach tests --quiet > result.xml
  barepod run web.yaml --config settings.yaml --volume data=/srv/web
  generate-manifest | barepod run - --name web2";

pub const GET_EXAMPLES: &str = "\
Examples:
  barepod get                     all pods
  barepod get -o wide             with what they request and may use
  barepod get web -o yaml         the v1 Pod with its status
  barepod get web -n ops          pod ops/web
  barepod get -o json | jq -r '.items[].metadata.name'";

pub const DESCRIBE_EXAMPLES: &str = "\
Examples:
  barepod describe web
  barepod describe web -n ops";

pub const EVENTS_EXAMPLES: &str = "\
Examples:
  barepod events web
  barepod events web -o json | jq -r 'select(.type == \"Warning\").message'";

pub const LOGS_EXAMPLES: &str = "\
Examples:
  barepod logs web                what its first main container printed
  barepod logs web -c proxy --tail 20 --timestamps
  barepod logs web -c proxy -p    of the instance before the last restart";

pub const STOP_EXAMPLES: &str = "\
Examples:
  barepod stop web                with its own grace period
  barepod stop web --grace-period 5
  barepod rm --force web          at once, and forget it";

pub const RESIZE_EXAMPLES: &str = "\
Examples:
  barepod resize web --cpu 500m --memory 128Mi
  barepod resize web -c main --cpu 200m:1   request 200m, limit 1 cpu";

pub const RM_EXAMPLES: &str = "\
Examples:
  barepod rm web
  barepod rm --force web          end it first, at once";

pub const SIMULATE_EXAMPLES: &str = "\
Examples:
  barepod simulate pod.yaml       if all goes well
  barepod simulate pod.yaml --script crash.yaml";

pub const COMPLETION_EXAMPLES: &str = "\
Examples:
  barepod completion bash > /etc/bash_completion.d/barepod
  barepod completion zsh > \"${fpath[1]}/_barepod\"
  barepod completion fish > ~/.config/fish/completions/barepod.fish";
