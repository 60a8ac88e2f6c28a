import os

from parliament_explorer import ProblemError, connect, follow_run, unwrap
from parliament_explorer.api.assets import materialize_asset
from parliament_explorer.api.bills import list_bills
from parliament_explorer.api.runs import get_run
from parliament_explorer.models import Config, StartRunRequest

with connect(os.environ.get("EXPLORER_URL", "http://127.0.0.1:8080")) as client:
    request = StartRunRequest(config=Config.from_dict({"limit": 10}))
    run = unwrap(materialize_asset.sync("fetch_latest_bills", client=client, body=request))
    for event in follow_run(client, run.id):
        print(event.at, event.level, event.message)
    ended = unwrap(get_run.sync(str(run.id), client=client))
    print(ended.status, ended.materializations[0].metadata.to_dict())
    for bill in unwrap(list_bills.sync(client=client, limit=3)).items:
        print(bill.id, bill.title.en, "/", bill.title.fr)
    try:
        unwrap(materialize_asset.sync("no_such_asset", client=client, body=request))
    except ProblemError as problem:
        print(problem.status, problem.detail)
