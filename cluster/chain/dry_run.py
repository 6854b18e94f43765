"""What a submission would do, as a script; nothing is submitted, and Slurm is asked only where it is."""

from cluster.chain import slurm
from cluster.chain.plan import decide, with_followers
from cluster.chain.record import Record
from cluster.chain.road import Chain
from cluster.chain.script import as_script
from cluster.chain.submission import Wishes, anew, look, planned


def dry_run(chain: Chain, wishes: Wishes) -> str:
    """The commands of `submit_chain`; `ClusterError` where that would refuse."""
    complete = chain.complete()
    wishes.require_known(chain.stages, complete)
    notes = []
    if slurm.is_here():
        record, jobs = look(chain.output, chain.stages)
    else:
        record, jobs = Record.read(chain.output) or Record.begin(chain.output, ""), {}
        notes.append("# Slurm is not on this machine: what is in its queue is not known here")
    if wishes.redo:
        complete = anew(chain, wishes.redo, record, jobs)
        names = ", ".join(stage.name for stage in with_followers(wishes.redo, chain.stages))
        notes.append(f"# what {names} left would be set aside first")
    decisions = decide(chain.stages, complete, record, jobs, wishes.keep)
    script = as_script(chain, record, planned(decisions))
    return "\n".join([*notes, script])
