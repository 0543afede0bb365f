"""The wire to Tiger Brokers: the vendor's SDK as it is, made safe to call. Everything that knows the SDK is here and in the adapters."""
