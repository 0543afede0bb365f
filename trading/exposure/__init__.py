"""What an account is exposed to, as risk checks, hedges, assessments and pages see it."""
