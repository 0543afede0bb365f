"""How a session went and where its profit came from: facts of trading become rows of judgement."""
