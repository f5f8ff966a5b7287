# Completion of netready for bash. "netready complete" decides what is offered; it prints nothing that bash would expand.

_netready() {
    local -a answer
    local word
    COMPREPLY=()
    mapfile -t answer < <(command netready complete bash -- "$2" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null </dev/null)
    case ${answer[0]-} in
    words)
        COMPREPLY=("${answer[@]:1}")
        ;;
    files)
        compopt -o default 2>/dev/null
        ;;
    command)
        # The command after "--", or the value of an option that names a command.
        for ((word = 1; word < COMP_CWORD; word++)); do
            [[ ${COMP_WORDS[word]} == -- ]] && break
        done
        if ((word + 1 < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
            _command_offset $((word + 1))
        elif ((word + 1 < COMP_CWORD)); then
            compopt -o default 2>/dev/null
        else
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        fi
        ;;
    esac
}

complete -F _netready netready
