"""What every engine has to do, between real processes."""

from __future__ import annotations

from helpers import wait_until

from .conftest import Stage

LONG = 600  # no test lasts that long: who waits so long and comes back was woken


class TestWaking:
    def test_a_wake_ends_waits_in_other_processes(self, stage: Stage) -> None:
        first, second, third = stage.hosts(3)
        for host in (second, third):
            host.begin(f"wait {LONG}")
            assert host.busy(), "nobody called"
        first.do("wake")
        assert second.finish() == "done"
        assert third.finish() == "done"

    def test_a_wake_ends_waits_in_its_own_process(self, stage: Stage) -> None:
        [host] = stage.hosts(1)
        host.do("wake")
        assert host.do(f"wait {LONG}") == "done"

    def test_a_wake_ends_the_waits_of_all_threads(self, stage: Stage) -> None:
        first, second = stage.hosts(2)
        second.do(f"two-waiters {LONG}")
        second.begin("join-waiters")
        assert second.busy()
        first.do("wake")
        assert second.finish() == "done"

    def test_a_wake_before_the_wait_is_not_lost(self, stage: Stage) -> None:
        """A job that is queued after a worker looked for one, and before it begins to wait."""
        first, second = stage.hosts(2)
        for _ in range(20):
            first.do("wake")
            assert second.do(f"wait {LONG}") == "done"

    def test_a_wake_counts_once(self, stage: Stage) -> None:
        first, second = stage.hosts(2)
        first.do("wake")
        second.do(f"wait {LONG}")
        second.begin(f"wait {LONG}")
        assert second.busy()
        first.do("wake")
        second.finish()

    def test_a_wait_ends_when_its_time_is_over(self, stage: Stage) -> None:
        [host] = stage.hosts(1)
        assert host.do("wait 0.05") == "done"

    def test_many_wakes_that_nobody_waits_for_are_no_harm(self, stage: Stage) -> None:
        first, second = stage.hosts(2)
        for _ in range(300):
            first.do("wake")
        assert second.do(f"wait {LONG}") == "done"

    def test_the_dead_do_not_hinder_the_living(self, stage: Stage) -> None:
        first, second, victim = stage.hosts(3)
        second.begin(f"wait {LONG}")
        victim.kill()
        first.do("wake")
        assert second.finish() == "done"


class TestReaping:
    def test_a_killed_worker_is_recovered(self, stage: Stage) -> None:
        victim, reaper = stage.hosts(2)
        stage.runs(victim)
        victim.kill()
        reaper.do("reap 1")
        assert stage.notes() == [f"recovered {victim.worker_id}"]
        reaper.do("reap 1")
        assert stage.notes() == [f"recovered {victim.worker_id}"]

    def test_several_reapers_do_it_once_and_never_together(self, stage: Stage) -> None:
        *victims, one, two, three = stage.hosts(6)
        for victim in victims:
            stage.runs(victim)
            victim.kill()
        reapers = (one, two, three)
        for reaper in reapers:
            reaper.begin("reap 200")
        for reaper in reapers:
            reaper.finish()
        assert sorted(stage.notes()) == sorted(f"recovered {host.worker_id}" for host in victims)

    def test_what_cannot_be_recovered_yet_is_tried_again(self, stage: Stage) -> None:
        victim, reaper, other = stage.hosts(3)
        stage.runs(victim)
        stubborn = stage.cannot_be_recovered(victim)
        victim.kill()
        for host in (reaper, other, reaper):
            host.do("reap 1")
        assert stage.notes() == [f"refused {victim.worker_id}"] * 3
        stubborn.unlink()
        other.do("reap 1")
        reaper.do("reap 1")
        assert stage.notes()[3:] == [f"recovered {victim.worker_id}"]

    def test_the_living_are_left_alone(self, stage: Stage) -> None:
        one, two = stage.hosts(2)
        for host in (one, two):
            stage.runs(host)
        two.begin(f"wait {LONG}")
        one.do("reap 20")
        assert stage.notes() == []

    def test_starting_workers_are_left_alone(self, stage: Stage) -> None:
        """However they and the reapers overlap."""
        [reaper] = stage.hosts(1)
        reaper.begin("reap 300")
        for host in stage.hosts(3):
            host.do("reap 20")
        reaper.finish()
        assert stage.notes() == []

    def test_one_that_stopped_with_an_attempt_running_is_recovered(self, stage: Stage) -> None:
        """A thread of it hung, say, and it left without."""
        victim, reaper = stage.hosts(2)
        stage.runs(victim)
        victim.do("stop")
        victim.kill()
        reaper.do("reap 1")
        assert stage.notes() == [f"recovered {victim.worker_id}"]

    def test_a_worker_whose_forked_children_live_on_is_dead(self, stage: Stage) -> None:
        victim, reaper = stage.hosts(2)
        stage.runs(victim)
        stage.forked_child_of(victim)
        victim.kill()
        # The child may just be on its way out of the fork.
        wait_until(lambda: reaper.do("reap 1") and stage.notes())
        assert stage.notes() == [f"recovered {victim.worker_id}"]

    def test_all_of_them_died_and_a_new_one_comes(self, stage: Stage) -> None:
        victims = stage.hosts(2)
        for victim in victims:
            stage.runs(victim)
            victim.kill()
        [fresh] = stage.hosts(1)
        fresh.do("reap 1")
        assert len(stage.notes()) == 2


class TestLeaving:
    def test_stopping_leaves_nothing_behind(self, stage: Stage) -> None:
        one, two = stage.hosts(2)
        one.do("wake")
        one.do("stop")
        two.do("reap 1")
        assert stage.notes() == []
        two.do("wake")
        two.do("stop")
        assert stage.kind.leftovers(stage.place) == []

    def test_nothing_is_left_of_the_recovered_either(self, stage: Stage) -> None:
        victim, reaper = stage.hosts(2)
        stage.runs(victim)
        victim.kill()
        reaper.do("reap 1")
        reaper.do("stop")
        wait_until(lambda: stage.kind.leftovers(stage.place) == [])

    def test_each_start_has_a_name_of_its_own(self, stage: Stage) -> None:
        assert len({host.worker_id for host in stage.hosts(3)}) == 3
