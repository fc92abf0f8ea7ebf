-- Rooms and measurements of floor plans, stored uploads, answers kept for repeated writes.

-- A unit's block and floor plan are of the unit's own project.
update units u set block_id = null
where block_id is not null
  and not exists (select 1 from blocks b where b.id = u.block_id and b.project_id = u.project_id);

update units u set floor_plan_id = null
where floor_plan_id is not null
  and not exists (select 1 from floor_plans f where f.id = u.floor_plan_id and f.project_id = u.project_id);

alter table blocks add unique (project_id, id);
alter table floor_plans add unique (project_id, id);

alter table units
    drop constraint units_block_id_fkey,
    drop constraint units_floor_plan_id_fkey,
    add constraint units_block foreign key (project_id, block_id)
        references blocks (project_id, id) on delete set null (block_id),
    add constraint units_floor_plan foreign key (project_id, floor_plan_id)
        references floor_plans (project_id, id) on delete set null (floor_plan_id);

create table floor_plan_rooms (
    id uuid primary key default gen_random_uuid(),
    floor_plan_id uuid not null references floor_plans on delete cascade,
    nome text not null,
    preset_key text,
    tags jsonb not null default '[]' check (jsonb_typeof(tags) = 'array'),
    comprimento numeric(8, 2) not null check (comprimento > 0),
    largura numeric(8, 2) not null check (largura > 0),
    pe_direito numeric(4, 2) not null default 2.8 check (pe_direito > 0),
    qtd_portas integer not null default 1 check (qtd_portas >= 0),
    qtd_janelas integer not null default 1 check (qtd_janelas >= 0),
    position integer not null,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);
create index floor_plan_rooms_plan on floor_plan_rooms (floor_plan_id, position);

create table floor_plan_measurements (
    id uuid primary key default gen_random_uuid(),
    floor_plan_id uuid not null references floor_plans on delete cascade,
    category text not null,
    label text not null,
    measurement_type text not null check (
        measurement_type in ('AREA_M2', 'LINEAR_M', 'QUANTITY', 'VOLUME_M3')
    ),
    value numeric(12, 4) not null check (value > 0),
    area_tipo text,
    position integer not null,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);
create index floor_plan_measurements_plan on floor_plan_measurements (floor_plan_id, position);

-- A row is written after its object: a key in this table always has its bytes.
create table uploads (
    key text primary key,
    project_id uuid not null references projects on delete cascade,
    size integer not null check (size > 0),
    created_at timestamptz(3) not null default now()
);
create index uploads_project on uploads (project_id);

-- Keys whose objects may exist without a row in uploads: a request at work, or one that was lost.
create table upload_attempts (
    key text primary key,
    created_at timestamptz(3) not null default now()
);
create index upload_attempts_age on upload_attempts (created_at);

-- One row per write that carried an Idempotency-Key, written in the same transaction.
create table idempotency_keys (
    user_id uuid not null references users on delete cascade,
    key text not null,
    fingerprint bytea not null,
    answer text,
    expires_at timestamptz(3) not null,
    primary key (user_id, key)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
