-- Core tables: tenants, users, sessions, projects and what a project shows.

create table tenants (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    document text not null unique,
    plan text not null default 'FREE' check (plan in ('FREE', 'BASIC', 'PRO', 'ENTERPRISE')),
    settings jsonb not null default '{}',
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);

create table contractors (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references tenants on delete cascade,
    name text not null,
    document text not null,
    specialty jsonb not null default '[]' check (jsonb_typeof(specialty) = 'array'),
    contacts jsonb,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (tenant_id, id)
);

create table brokers (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references tenants on delete cascade,
    name text not null,
    document text not null,
    creci text,
    phone text,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (tenant_id, id)
);

create table users (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references tenants on delete cascade,
    email text not null unique check (email = lower(email)),
    password_hash text not null,
    name text not null,
    role text not null check (
        role in ('ROOT', 'MASTER', 'ENGINEER', 'ADMIN_STAFF', 'CONTRACTOR', 'BROKER', 'VIEWER')
    ),
    contractor_id uuid unique,
    broker_id uuid unique,
    is_active boolean not null default true,
    is_approved boolean not null default false,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    foreign key (tenant_id, contractor_id) references contractors (tenant_id, id),
    foreign key (tenant_id, broker_id) references brokers (tenant_id, id)
);
create index users_tenant on users (tenant_id);

create table sessions (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    created_at timestamptz(3) not null default now(),
    expires_at timestamptz(3) not null,
    revoked_at timestamptz(3)
);
create index sessions_user on sessions (user_id, expires_at);

create table refresh_tokens (
    id uuid primary key,
    session_id uuid not null references sessions on delete cascade,
    issued_at timestamptz(3) not null,
    expires_at timestamptz(3) not null,
    used_at timestamptz(3),
    successor_id uuid references refresh_tokens on delete cascade,
    check ((used_at is null) = (successor_id is null))
);
create index refresh_tokens_session on refresh_tokens (session_id);
create index refresh_tokens_successor on refresh_tokens (successor_id);

create table projects (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null references tenants on delete cascade,
    name text not null,
    description text,
    address jsonb not null,
    status text not null default 'PLANNING' check (
        status in ('PLANNING', 'IN_PROGRESS', 'PAUSED', 'COMPLETED', 'CANCELLED')
    ),
    start_date timestamptz(3),
    expected_end_date timestamptz(3),
    actual_end_date timestamptz(3),
    budget numeric(15, 2) not null default 0 check (budget >= 0),
    scheduling_mode text check (scheduling_mode in ('BUSINESS_DAYS', 'CALENDAR_DAYS')),
    holidays jsonb,
    metadata jsonb,
    quantidade_unidades integer not null default 1 check (quantidade_unidades >= 1),
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (tenant_id, id)
);
create index projects_tenant_created on projects (tenant_id, created_at desc);

create table project_contractors (
    tenant_id uuid not null,
    project_id uuid not null,
    contractor_id uuid not null,
    primary key (project_id, contractor_id),
    foreign key (tenant_id, project_id) references projects (tenant_id, id) on delete cascade,
    foreign key (tenant_id, contractor_id) references contractors (tenant_id, id) on delete cascade
);
create index project_contractors_contractor on project_contractors (contractor_id);

create table evolutions (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null references projects on delete cascade,
    date timestamptz(3) not null default now(),
    percentage numeric(5, 2) not null check (percentage between 0 and 100),
    phase text not null,
    photos jsonb not null default '[]' check (jsonb_typeof(photos) = 'array'),
    notes text,
    reported_by uuid not null references users on delete restrict,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now()
);
create index evolutions_project_date on evolutions (project_id, date desc);
create index evolutions_reported_by on evolutions (reported_by);

create table blocks (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null references projects on delete cascade,
    name text not null,
    floors integer check (floors > 0),
    metadata jsonb,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (project_id, name)
);

create table floor_plans (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null references projects on delete cascade,
    name text not null,
    description text,
    type text not null check (type in ('APARTMENT', 'HOUSE', 'COMMERCIAL', 'LAND')),
    area numeric(10, 2) not null check (area > 0),
    bedrooms integer check (bedrooms >= 0),
    bathrooms integer check (bathrooms >= 0),
    default_price numeric(15, 2) check (default_price > 0),
    metadata jsonb,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (project_id, name)
);

create table units (
    id uuid primary key default gen_random_uuid(),
    project_id uuid not null references projects on delete cascade,
    code text not null,
    type text not null check (type in ('APARTMENT', 'HOUSE', 'COMMERCIAL', 'LAND')),
    floor integer,
    area numeric(10, 2) not null check (area > 0),
    bedrooms integer check (bedrooms >= 0),
    bathrooms integer check (bathrooms >= 0),
    price numeric(15, 2) check (price >= 0),
    status text not null default 'AVAILABLE' check (status in ('AVAILABLE', 'RESERVED', 'SOLD', 'BLOCKED')),
    block_id uuid references blocks on delete set null,
    floor_plan_id uuid references floor_plans on delete set null,
    metadata jsonb,
    created_at timestamptz(3) not null default now(),
    updated_at timestamptz(3) not null default now(),
    unique (project_id, code)
);
create index units_block on units (block_id);
create index units_floor_plan on units (floor_plan_id);
