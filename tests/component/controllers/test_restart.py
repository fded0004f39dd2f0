from __future__ import annotations

from pathlib import Path

from sampan.client.rest import Client
from sampan.client.transport import Transport
from sampan.controllers.manager import ControllerManager
from sampan.lib.clock import RealClock
from sampan.lib.tasks import Tasks
from sampan.store.sqlite import SQLiteStore
from tests.component.conftest import Api
from tests.component.controllers.test_deployment import deployment, patch, rolled_out
from tests.component.controllers.world import World
from tests.unit.fakeapi import run


def test_controllers_wait_for_a_server_and_go_on_when_it_comes_back(api: Api, tmp_path: Path) -> None:
    async def work() -> None:
        clock = RealClock()
        path = tmp_path / "store.db"
        async with api.serve(clock, SQLiteStore(path, clock)) as first:
            bind = (("127.0.0.1", first.server.port),)
            user = first.credentials.client(first.server.url, "system:kube-controller-manager")
            transport = Transport(user)
            manager = ControllerManager(Client(transport))
        async with transport, Tasks() as tasks:
            tasks.start(manager.run(), "manager")  # there is no server yet
            async with api.serve(clock, SQLiteStore(path, clock), bind=bind) as second:
                w = World(second.client)
                await w.client.create(deployment(2))
                await w.set_ready(*await w.pods_number(2))
                await rolled_out(w)
            async with api.serve(clock, SQLiteStore(path, clock), bind=bind) as third, Tasks() as kubelets:
                w = World(third.client)
                kubelets.start(w.keep_ready(), "kubelet")
                await patch(w, {"spec": {"replicas": 4}})
                assert (await rolled_out(w)).status.availableReplicas == 4

    run(work())
