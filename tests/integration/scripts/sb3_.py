"""Stable-Baselines3: an agent that learns for some steps, with its metrics by TensorBoard, videos and the model."""

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecVideoRecorder

import wandb
from wandb.integration.sb3 import WandbCallback

with wandb.init(config={"env": "CartPole-v1"}, sync_tensorboard=True, monitor_gym=True, tags=["sb3"]) as run:
    environment = DummyVecEnv([lambda: gymnasium.make("CartPole-v1", render_mode="rgb_array")])
    environment = VecVideoRecorder(environment, "videos", record_video_trigger=lambda step: step == 0, video_length=8)
    model = PPO(
        "MlpPolicy", environment, n_steps=64, batch_size=32, n_epochs=2, seed=0, tensorboard_log="runs", device="cpu",
        policy_kwargs={"net_arch": [8]},
    )  # fmt: skip
    callback = WandbCallback(
        model_save_path="models", model_save_freq=64, gradient_save_freq=2, log="gradients", verbose=2
    )
    model.learn(256, callback=callback)
    environment.close()
