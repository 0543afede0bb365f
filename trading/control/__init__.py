"""Who may send what: the kill switch, arming, the processes that send, guards, halted symbols."""
