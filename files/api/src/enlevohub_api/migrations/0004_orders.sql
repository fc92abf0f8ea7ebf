-- Indexes in the whole order of lists: without them every list, and the latest record of every project, was sorted.

create index projects_tenant_newest on projects (tenant_id, created_at desc, id);
create index evolutions_project_newest on evolutions (project_id, date desc, created_at desc, id);
drop index projects_tenant_created;
drop index evolutions_project_date;
