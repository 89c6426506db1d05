"""Phantom chest films whose truth is known, and the training of the bundled encoders on them.

Nothing here comes from a patient: a film is an analytic body rendered by Beer-Lambert attenuation. Phantoms make
demonstrations, tests and air-gapped trials honest; they say nothing about performance on people.
"""
