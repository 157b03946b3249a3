"""Load and faults: ``make load`` measures what ``docs/reliability.md`` promises, and checks it."""
