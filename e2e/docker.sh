# A Docker engine that can run kind's nodes. Sourced by run.sh; docker_up is the way in.
# shellcheck shell=bash

docker_up() {
  if ! docker info >/dev/null 2>&1; then
    need dockerd=docker.io iptables=iptables jq=jq
    need docker=docker-cli # a package of its own from Debian 13 on
    if [ -d /run/systemd/system ]; then systemctl start docker; else start_dockerd; fi
    local i
    for ((i = 0; ; i++)); do
      docker info >/dev/null 2>&1 && break
      ((i < 120)) || { tail -20 "$CACHE/dockerd/log" >&2; die "dockerd does not come up"; }
      sleep 0.5
    done
  fi
  if lacks_sys_resource && [ "$(docker info -f '{{.DefaultRuntime}}')" != lesscaps ]; then
    die "no process of this machine may have CAP_SYS_RESOURCE, so a privileged container does not" \
      "start: make $E2E/image/runc-lesscaps the running dockerd's default runtime under the name lesscaps"
  fi
}

# lacks_sys_resource: the capability (number 24) is out of our bounding set.
lacks_sys_resource() {
  local bounding
  bounding=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
  [ $((16#$bounding >> 24 & 1)) = 0 ]
}

# start_dockerd starts one where no init does. It outlives this run: README.md says how to end it.
start_dockerd() {
  local dir=$CACHE/dockerd settings='{}' pid
  mkdir -p "$dir"
  if lacks_sys_resource; then
    install -m 0755 "$E2E/image/runc-lesscaps" "$dir/runc-lesscaps"
    settings=$(jq -n --arg path "$dir/runc-lesscaps" \
      '{runtimes: {lesscaps: {path: $path}}, "default-runtime": "lesscaps"}')
  fi
  { cat /etc/docker/daemon.json 2>/dev/null || echo '{}'; echo "$settings"; } |
    jq -s '.[0] * .[1]' >"$dir/daemon.json"
  # dockerd does not start beside a pid file whose number another process has by now.
  pid=$(cat "$dir/pid" 2>/dev/null || true)
  if [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" != dockerd ]; then rm -f "$dir/pid"; fi
  # 8 and 9 are the locks of run.sh: dockerd must not hold them.
  setsid dockerd --config-file "$dir/daemon.json" --data-root "$dir/data" --pidfile "$dir/pid" \
    </dev/null >"$dir/log" 2>&1 8>&- 9>&- &
}
