"""The playbooks that move a stack refuse what cannot be done before anything changes, and say what to do."""

from __future__ import annotations

from role.playing import ROOT, Controller, snapshot


def test_hosts_are_asked_for(controller: Controller) -> None:
    controller.host("old")

    for playbook, words in (("move", ["from=old"]), ("move_back", ["from=old", "to=old"]), ("recover", ["to=old"])):
        play = controller.play(*(f"-e{word}" for word in words), playbook=ROOT / f"playbooks/{playbook}.yml")

        assert play.code == 2, play.output
        assert "Name the" in play.message()


def test_an_old_host_that_was_never_provisioned(controller: Controller) -> None:
    old, new = controller.host("old"), controller.host("new")

    play = controller.play("-efrom=old", "-eto=new", playbook=ROOT / "playbooks/move.yml")

    assert play.code == 2, play.output
    assert "Nothing was changed." in play.message()
    assert "ansible-playbook site.yml --limit old" in play.message()
    assert (snapshot(old), snapshot(new)) == ({}, {})


def test_a_backup_that_is_nowhere(controller: Controller) -> None:
    new = controller.host("new")

    play = controller.play("-eto=new", "-ebackup=./no-such", playbook=ROOT / "playbooks/recover.yml")

    assert play.code == 2, play.output
    assert "There is no manifest.json in ./no-such, neither here nor on new." in play.message()
    assert snapshot(new) == {}
