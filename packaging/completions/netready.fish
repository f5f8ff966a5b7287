# Completion of netready for fish. "netready complete" decides what is offered.

function __netready_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l answer (command netready complete fish -- $before "$current" 2>/dev/null </dev/null)
    set -l kind "$answer[1]"
    set -e answer[1]
    switch "$kind"
        case words
            printf '%s\n' $answer
        case files
            __fish_complete_path "$current"
        case command
            # The command after "--", or the value of an option that names a command.
            if set -l dashes (contains -i -- -- $before)
                set -l rest
                if test $dashes -lt (count $before)
                    set rest $before[(math $dashes + 1)..-1]
                end
                complete -C(string join ' ' -- (string escape -- $rest) "$current")
            else
                __fish_complete_command
            end
    end
end

complete -c netready -f -a '(__netready_complete)'
