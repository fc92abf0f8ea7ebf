-- Identity: tokens of password resets and counters of attempts. Only adds, so an older service runs beside it.

-- A row is a reset that can still be used; using it or asking again deletes it.
create table password_resets (
    token_hash bytea primary key,
    user_id uuid not null references users on delete cascade,
    created_at timestamptz(3) not null default now(),
    expires_at timestamptz(3) not null
);
create index password_resets_user on password_resets (user_id);

-- The key is a digest: addresses and e-mails stay out of the table.
create table rate_limits (
    key bytea primary key,
    count integer not null check (count >= 0),
    expires_at timestamptz(3) not null
);
create index rate_limits_expires on rate_limits (expires_at);
