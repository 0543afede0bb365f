"""What is done to the system to see whether it holds, beyond single tests.

    kill_replay       replays that are killed and resumed end with the same rows
    live_steps        a live account in any order of accidents (live_machine, storm)
    kill_matrix       processes that die at failpoints under faults of the broker (kill_cases, failpoints, stories, verdicts)
    service_trials    MariaDB and Redis that fail under processes that send (trials, proxy)
    restart_services  how long until everything works again
    mutants           the order path with one safeguard gone, of which the tests must notice each (mutations)

Beneath them: workspace, real_account and databases make a place to work in, project fills it with bundled prices.
"""
