# Sourced by the install scripts. apt_install NAME...: installs Debian packages where we are allowed to (root,
# or sudo without a password); fails, saying nothing, where there is no apt or no right to use it.

apt_as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    else
        return 1
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    apt_as_root true || return 1
    echo "Installing from Debian: $*"
    apt_as_root apt-get update -qq -o Acquire::Retries=3 || return 1
    apt_as_root apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 "$@" >/dev/null
}
