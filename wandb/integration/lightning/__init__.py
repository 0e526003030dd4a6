"""Lightning: `fabric` has a logger for Fabric. Its `Trainer` takes Lightning's own `WandbLogger`."""
